#include <stdlib.h>
int get(int *a, int n) { return a[n]; }
int main(int c, char **v) { int *a = calloc(4, sizeof *a); return get(a, 4); }
