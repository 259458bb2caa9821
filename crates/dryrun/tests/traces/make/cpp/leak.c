#include <stdlib.h>
void lose(void) { volatile char *p = malloc(123); p = 0; }
int main(void) { lose(); lose(); return 0; }
