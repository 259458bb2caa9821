package main

import "fmt"

func main() { panic(fmt.Errorf("first line\nsecond line\n\tthird line")) }
