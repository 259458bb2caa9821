#include <thread>
int counter;
void bump() { counter++; }
int main() { std::thread a(bump), b(bump); a.join(); b.join(); }
