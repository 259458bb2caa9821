#include <cassert>
int find(int n) { assert(n > 0 && "n must be positive"); return n; }
int main(int c, char **) { return find(-c); }
