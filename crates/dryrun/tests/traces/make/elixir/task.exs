Task.start(fn -> String.to_integer("x") end)
Process.sleep(200)
