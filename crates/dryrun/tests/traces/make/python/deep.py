import argparse, decimal


def parse():
    return decimal.Decimal("abc")


def main():
    lines = [parse() for _ in range(2)]
    return lines


main()
