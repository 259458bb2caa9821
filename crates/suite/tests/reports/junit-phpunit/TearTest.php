<?php
use PHPUnit\Framework\TestCase;
class TearTest extends TestCase { public static function tearDownAfterClass(): void { throw new RuntimeException("class tear-down"); } public function testA() { $this->assertTrue(true); } }
