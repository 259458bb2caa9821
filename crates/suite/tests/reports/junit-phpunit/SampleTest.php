<?php
use PHPUnit\Framework\TestCase;
class SampleTest extends TestCase {
  public function testOk() { $this->assertTrue(true); echo "out"; }
  public function testFails() { $this->assertSame(1, 2, "ünï <a&b>"); }
  public function testErrors() { throw new RuntimeException("boom"); }
  public function testSkip() { $this->markTestSkipped("no network"); }
  public function testIncomplete() { $this->markTestIncomplete("todo"); }
  public function testRisky() { }
  /** @dataProvider d */ public function testData($x) { $this->assertNotEquals("b", $x); }
  public function d() { return [["a"], ["b"], "named <&>" => ["b"]]; }
  /** @depends testFails */ public function testDepends() { $this->assertTrue(true); }
  public function testWarns() { trigger_error("w", E_USER_WARNING); }
  /** @dataProvider nothere */ public function testNoProvider($x) {}
}
