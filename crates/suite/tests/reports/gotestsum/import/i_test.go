package imp
import ("testing"; _ "example.com/nothere/x")
func TestA(t *testing.T) {}
