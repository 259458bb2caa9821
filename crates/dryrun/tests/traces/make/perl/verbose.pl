use Carp qw(verbose); package Shop; use Carp; sub pay { croak "no funds" } package main; sub run { Shop::pay(3) } run();
