import logging

logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
try:
    [][3]
except IndexError:
    logging.getLogger("shop.cart").exception("cannot add")
