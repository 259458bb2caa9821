package sample;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.*;
import org.junit.jupiter.api.*;
import org.junit.jupiter.params.*;
import org.junit.jupiter.params.provider.*;
import java.time.Duration;

class SampleTest {
    static int flaky;
    @Test void passes() { System.out.println("printed <&> ]]> end"); }
    @Test void fails() { assertEquals("a<b", "a&b", "not the same"); }
    @Test void errors() { throw new IllegalStateException("bad state\nsecond line"); }
    @Test @Disabled("later") void disabled() { }
    @Test void assumption() { assumeTrue(false, "not here"); }
    @Test void flaky() { if (flaky++ == 0) fail("the first time"); }
    @Test void timesOut() { assertTimeoutPreemptively(Duration.ofMillis(50), () -> Thread.sleep(5000)); }
    @ParameterizedTest @ValueSource(strings = {"one", "two"}) void parameters(String s) { assertEquals("one", s); }
}
