proc inner {n} { error "bad value $n" }
proc outer {} { inner 3 }
outer
