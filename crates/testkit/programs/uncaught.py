"""Beats three times, then ends by an uncaught exception that has a cause."""

import json
import sys
from datetime import datetime, timezone


class OrderRejected(Exception):
    """An order that no venue took."""


def price(order):
    return order["limit"] * order["quantity"]


def submit(order):
    try:
        return price(order)
    except KeyError as missing:
        raise OrderRejected(f"order {order['id']} cannot be priced") from missing


def main():
    for seq in range(1, 4):
        beat = {
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "level": "info",
            "event": "heartbeat",
            "message": f"heartbeat #{seq}",
            "seq": seq,
        }
        print(json.dumps(beat), flush=True)
    submit({"id": 41, "limit": 3, "quantity": 2})
    submit({"id": 42, "quantity": 2})


if __name__ == "__main__":
    sys.exit(main())
