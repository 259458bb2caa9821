// Beats three times, then reads memory that was freed; to be built with -fsanitize=address.
#include <iostream>

struct Order {
    int limit, quantity;
};

__attribute__((noinline)) static int price(const Order *order) { return order->limit * order->quantity; }

__attribute__((noinline)) static void settle(Order *order) { delete order; }

int main() {
    for (int seq = 1; seq <= 3; seq++)
        std::cout << R"({"level":"info","event":"heartbeat","message":"heartbeat #)" << seq << R"(","seq":)" << seq << "}"
                  << std::endl;
    auto *order = new Order{3, 2};
    settle(order);
    return price(order);
}
