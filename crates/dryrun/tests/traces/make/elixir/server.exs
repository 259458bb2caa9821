defmodule Server do
  use GenServer
  def init(n), do: {:ok, n}
  def handle_call(:divide, _from, n), do: {:reply, div(1, n), n}
end

{:ok, pid} = GenServer.start(Server, 0)
try do
  GenServer.call(pid, :divide)
catch
  :exit, _ -> :ok
end
Process.sleep(100)
