<?php
function read() { throw new RuntimeException("disk gone"); }
function load() { try { read(); } catch (Exception $e) { throw new LogicException("cannot load", 1, $e); } }
load();
