int main(int c, char **v) { int n = 2147483647; n += c; return n >> (c + 40); }
