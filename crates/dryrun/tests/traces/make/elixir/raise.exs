defmodule Shop do
  def pay(n) when n > 3, do: raise("too much: #{n}")
  def pay(n), do: pay(n + 1) + 1
end

Shop.pay(1)
