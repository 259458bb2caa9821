package main

import "time"

var counter int

func bump() { counter++ }
func main() {
	go bump()
	bump()
	time.Sleep(100 * time.Millisecond)
}
