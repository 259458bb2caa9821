// Beats three times, then ends by an uncaught error that has a cause.
class OrderRejected extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = "OrderRejected";
    this.orderId = 42;
  }
}

function price(order) {
  return order.limit.amount * order.quantity;
}

function submit(order) {
  try {
    return price(order);
  } catch (cause) {
    throw new OrderRejected(`order ${order.id} cannot be priced`, { cause });
  }
}

for (let seq = 1; seq <= 3; seq += 1) {
  const timestamp = new Date().toISOString();
  console.log(JSON.stringify({ timestamp, level: "info", event: "heartbeat", message: `heartbeat #${seq}`, seq }));
}
submit({ id: 42, quantity: 2 });
