package s; import org.junit.*;
public class TdTest { @After public void td() { throw new RuntimeException("after"); } @Test public void a() { Assert.fail("both"); } @AfterClass public static void ac() { throw new RuntimeException("after class"); } }
