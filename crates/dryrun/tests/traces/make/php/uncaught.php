<?php
class Cart { function add($n) { throw new InvalidArgumentException("bad item $n"); } }
function fill(Cart $c) { $c->add(3); }
fill(new Cart());
