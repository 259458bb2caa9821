package main

type node struct{ next *node }

func (n *node) walk() *node { return n.next.next }
func main()                 { println((&node{}).walk()) }
