import logging
logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
def pay():
    logging.getLogger("shop").error("slow payment", stack_info=True)
def run():
    pay()
run()
