package s; import org.junit.*;
public class InitTest { @Test private void notPublic() {} }
