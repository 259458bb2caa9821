defmodule Match do
  def run(list) do
    [first, second] = list
    first + second
  end
end

Match.run([1])
