package sample

import (
	"fmt"
	"testing"
)

func TestPasses(t *testing.T) { fmt.Println("printed <&>") }

func TestFails(t *testing.T) { t.Errorf("got %d, want %d\nsecond line <&>", 1, 2) }

func TestSkipped(t *testing.T) { t.Skip("not today") }

func TestTable(t *testing.T) {
	for _, name := range []string{"one", "two words", "ü/slash"} {
		t.Run(name, func(t *testing.T) {
			if name == "two words" {
				t.Fatal("this one")
			}
		})
	}
}
