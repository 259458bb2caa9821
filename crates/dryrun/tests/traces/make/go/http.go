package main

import (
	"net"
	"net/http"
)

func handler(w http.ResponseWriter, r *http.Request) {
	var m map[string]int
	m["x"] = 1
}
func main() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(l, http.HandlerFunc(handler))
	http.Get("http://" + l.Addr().String())
}
