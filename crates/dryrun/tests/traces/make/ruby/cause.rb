class ConfigError < StandardError; end

def read
  File.read("/does/not/exist")
rescue => e
  raise ConfigError, "no configuration"
end

read
