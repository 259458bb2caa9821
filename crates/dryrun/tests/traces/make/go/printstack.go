package main

import (
	"log"
	"runtime/debug"
)

func f() {
	defer func() {
		if r := recover(); r != nil {
			log.Printf("recovered: %v\n%s", r, debug.Stack())
		}
	}()
	panic("handled")
}
func main() { f() }
