package calc

import (
	"fmt"
	"testing"
)

func TestPasses(t *testing.T) {}

func TestFails(t *testing.T) { t.Fatal("plain") }

func TestFailsMore(t *testing.T) { t.Fatal("more") }

func TestOf(t *testing.T) {
	for _, name := range []string{
		"sub case", "a/b-1", "größe", "[x] (y) {z}", "a.b*c+d?", "^e$|f", `back\slash`, "it's \"quoted\"", "$HOME`ls`", "same", "same", "",
		"a//b", "-v", "tab\tand\u00a0more", "#01", "::",
	} {
		t.Run(name, func(t *testing.T) { t.Errorf("value %q", name) })
	}
	t.Run("deep", func(t *testing.T) {
		t.Run("er/still", func(t *testing.T) { t.Fatal("deeper") })
		t.Run("passes", func(t *testing.T) {})
	})
}

func TestPanics(t *testing.T) { t.Run("in sub", func(t *testing.T) { t.Error("no panic, it only says so") }) }

func Example_fails() {
	fmt.Println("a")
	// Output: b
}

func FuzzFails(f *testing.F) {
	f.Add("x")
	f.Fuzz(func(t *testing.T, s string) { t.Fatal("seed") })
}
