package m

import (
	"os"
	"testing"
)

func TestGreen(t *testing.T) {}

func TestFlaky(t *testing.T) {
	if _, err := os.Stat("ran"); err != nil {
		os.WriteFile("ran", nil, 0o644)
		t.Fatal("the first time")
	}
}

func TestNever(t *testing.T) { t.Fatal("always") }
