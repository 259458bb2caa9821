function check(n) if n > 2 then error("too many: " .. n) end check(n + 1) end
check(0)
