package sample;

import org.junit.jupiter.api.*;

class SetupTest {
    @BeforeAll static void database() { throw new IllegalStateException("no database"); }
    @Test void one() { }
    @Test void two() { }
}
