package main

import "time"

func wait(c chan int) { <-c }
func main() {
	c := make(chan int)
	for i := 0; i < 300; i++ {
		go wait(c)
	}
	time.Sleep(50 * time.Millisecond)
	panic("with many")
}
