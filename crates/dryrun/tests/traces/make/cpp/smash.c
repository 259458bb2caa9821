#include <string.h>
void f(const char *s) { char b[8]; strcpy(b, s); }
int main(int c, char **v) { f("much longer than eight bytes, really"); return 0; }
