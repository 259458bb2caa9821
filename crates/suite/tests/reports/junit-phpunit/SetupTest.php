<?php
use PHPUnit\Framework\TestCase;
class SetupTest extends TestCase { public static function setUpBeforeClass(): void { throw new RuntimeException("class set-up"); } public function testA() { $this->assertTrue(true); } public function testB() { $this->assertTrue(true); } }
