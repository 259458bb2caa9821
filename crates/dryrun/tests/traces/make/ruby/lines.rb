def f
  raise ArgumentError, "first line\nsecond line"
end
f
