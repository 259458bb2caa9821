//! Beats three times, then ends by a panic in `main`'s thread. Prints no timestamps: the standard library has no calendar.

struct Order {
    id: u32,
    limit: Option<u32>,
    quantity: u32,
}

#[inline(never)]
fn price(order: &Order) -> u32 {
    let Some(limit) = order.limit else {
        panic!("order {} cannot be priced", order.id);
    };
    limit * order.quantity
}

#[inline(never)]
fn submit(orders: &[Order]) -> u32 {
    orders.iter().map(price).sum()
}

fn main() {
    for seq in 1..=3 {
        println!(
            r#"{{"level":"info","event":"heartbeat","message":"heartbeat #{seq}","seq":{seq}}}"#
        );
    }
    let orders = [(41, Some(3)), (42, None)].map(|(id, limit)| Order {
        id,
        limit,
        quantity: 2,
    });
    println!("{}", submit(&orders));
}
