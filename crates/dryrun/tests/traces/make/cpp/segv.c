int main(int c, char **v) { volatile int *p = (int *)(long)(c - 1); return *p; }
