package main

func at(list []int, n int) int { return list[n] }
func main()                    { println(at([]int{1, 2, 3}, 5)) }
