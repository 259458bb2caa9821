#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
void handler(int s) { void *p[32]; fprintf(stderr, "Segmentation fault\n"); backtrace_symbols_fd(p, backtrace(p, 32), 2); _exit(139); }
void crash(int *p) { *p = 1; }
int main(void) { signal(SIGSEGV, handler); crash(0); return 0; }
