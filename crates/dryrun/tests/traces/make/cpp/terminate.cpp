#include <stdexcept>
void f(int n) { if (!n) throw std::runtime_error("no more"); f(n - 1); }
int main() { f(3); }
