int main(int c, char **v) { volatile int a[4] = {0}; return a[c + 3]; }
