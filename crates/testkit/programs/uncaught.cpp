// Beats three times, then ends by an uncaught exception: std::terminate, SIGABRT, no frames.
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

static int price(const std::map<std::string, int> &order) {
    if (order.find("limit") == order.end())
        throw std::runtime_error("order 42 cannot be priced");
    return order.at("limit") * order.at("quantity");
}

int main() {
    for (int seq = 1; seq <= 3; seq++)
        std::cout << R"({"level":"info","event":"heartbeat","message":"heartbeat #)" << seq << R"(","seq":)" << seq << "}"
                  << std::endl;
    return price({{"quantity", 2}});
}
