#include <stdlib.h>
int main(void) { char *volatile p = malloc(2000); char *volatile q = malloc(20); free(p); free(p); return q != 0; }
