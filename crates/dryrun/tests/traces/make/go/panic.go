package main

import "errors"

func inner(n int) { panic(errors.New("broken")) }
func outer()      { inner(3) }
func main()       { outer() }
