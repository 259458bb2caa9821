using System;
class ConfigException : Exception { public ConfigException(string m, Exception e) : base(m, e) { } }
class Inner {
  static void Read() { throw new System.IO.FileNotFoundException("no file"); }
  static void Load() { try { Read(); } catch (Exception e) { throw new ConfigException("cannot load", e); } }
  static void Main() { Load(); }
}
