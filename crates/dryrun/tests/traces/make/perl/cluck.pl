package Shop;
use Carp qw(longmess);
sub pay { die longmess("cannot pay") }
package main;
sub run { Shop::pay({a => 1}) }
run();
