interface Order { id: number; lines: string[] }
function total(order: Order): number { return order.lines.length; }
const orders: Order[] = [];
console.log(total(orders[3]));
