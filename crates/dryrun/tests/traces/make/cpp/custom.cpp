namespace shop { struct Refused { int code; }; }
int main() { throw shop::Refused{3}; }
