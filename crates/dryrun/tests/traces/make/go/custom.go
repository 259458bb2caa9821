package main

type failure struct {
	code int
	text string
}

func main() { panic(failure{3, "no such thing"}) }
