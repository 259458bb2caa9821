#include <stdlib.h>
int main(void) { char b[64]; char *volatile p = b + 16; free(p); return 0; }
