package main

import "fmt"

func f() {
	defer func() {
		if r := recover(); r != nil {
			panic(fmt.Sprintf("again: %v", r))
		}
	}()
	panic("first")
}
func main() { f() }
