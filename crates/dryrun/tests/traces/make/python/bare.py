def check():
    assert 1 == 2


check()
