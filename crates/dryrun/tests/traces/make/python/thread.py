import threading


def work():
    raise RuntimeError("worker broke")


thread = threading.Thread(target=work, name="worker")
thread.start()
thread.join()
