def test_größe():
    raise ValueError("tief")
