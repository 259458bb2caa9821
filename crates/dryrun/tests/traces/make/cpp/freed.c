#include <stdlib.h>
int main(void) { volatile char *p = malloc(10); free((void *)p); return p[5]; }
