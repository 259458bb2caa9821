sub pay { die "no funds for $_[0]" } sub run { pay(3) } run();
