import faulthandler, time
faulthandler.dump_traceback_later(0.5, exit=True)
def wait():
    time.sleep(5)
wait()
