def f
  raise KeyError, "no such key"
end
begin
  f
rescue => e
  warn e.full_message(highlight: false, order: :bottom)
end
