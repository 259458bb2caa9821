import os, time, pytest
def test_1(): pass
def test_k():
    if os.environ.get("HOW") == "exit": os._exit(0)
    if os.environ.get("HOW") == "int": raise KeyboardInterrupt
    if os.environ.get("HOW") == "pexit": pytest.exit("stop now", returncode=0)
    if os.environ.get("HOW") == "segv": os.kill(os.getpid(), 11)
    if os.environ.get("HOW") == "sleep": time.sleep(20)
    if os.environ.get("HOW") == "fail": assert 0
def test_2(): pass
