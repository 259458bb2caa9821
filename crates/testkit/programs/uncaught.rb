# Beats three times, then ends by an uncaught exception that has a cause.
class OrderRejected < StandardError; end

def price(order)
  order.fetch(:limit) * order.fetch(:quantity)
end

def submit(order)
  price(order)
rescue KeyError
  raise OrderRejected, "order #{order[:id]} cannot be priced"
end

$stdout.sync = true
(1..3).each do |seq|
  now = Time.now.utc.strftime("%Y-%m-%dT%H:%M:%S.%LZ")
  puts %({"timestamp":"#{now}","level":"info","event":"heartbeat","message":"heartbeat ##{seq}","seq":#{seq}})
end
[{ id: 42, quantity: 2 }].each { |order| submit(order) }
