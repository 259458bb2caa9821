package main

type list[K comparable, V any] struct{ m map[K]V }

func (l *list[K, V]) must(k K) V {
	v, ok := l.m[k]
	if !ok {
		panic("no such key")
	}
	return v
}
func main() { println((&list[string, int]{}).must("x")) }
