<?php
class Cart { function add($i) { if ($i > 2) { throw new LengthException("too many: $i"); } } }
function fill() { $c = new Cart; for ($i = 0; $i < 5; $i++) { $c->add($i); } }
function checkout() { try { fill(); } catch (LengthException $e) { throw new DomainException("cannot pay", 7, $e); } }
array_map(fn($x) => checkout(), [1]);
