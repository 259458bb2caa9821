from behave import *
@given("a start")
def s(c): pass
@when("it passes")
@then("it passes")
def s(c): pass
@when("it fails")
def s(c): assert False, "ünï"
@when("it errors")
def s(c): raise ValueError("boom")
@when("x is {x}")
def s(c, x): assert x == "1"
