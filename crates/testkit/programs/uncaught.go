// Beats three times, then ends by a panic while another goroutine waits.
package main

import (
	"fmt"
	"time"
)

type order struct {
	id       int
	limit    *int
	quantity int
}

//go:noinline
func price(o order) int { return *o.limit * o.quantity }

//go:noinline
func submit(orders map[int]order) {
	for _, o := range orders {
		price(o)
	}
}

func main() {
	for seq := 1; seq <= 3; seq++ {
		fmt.Printf("{\"timestamp\":%q,\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"heartbeat #%d\",\"seq\":%d}\n",
			time.Now().UTC().Format(time.RFC3339Nano), seq, seq)
	}
	blocked := make(chan struct{})
	go func() { <-blocked }()
	submit(map[int]order{42: {id: 42, quantity: 2}})
}
