require "logger"
def f
  Integer("x")
end
begin
  f
rescue => e
  Logger.new($stderr).error(e)
end
