from rich.traceback import install

install(width=80)


def pay(order):
    funds = {}
    return funds[order]


def main():
    pay("7")


main()
