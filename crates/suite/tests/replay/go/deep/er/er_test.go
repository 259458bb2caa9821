package er

import "testing"

func TestFails(t *testing.T) { t.Fatal("in another package") }
