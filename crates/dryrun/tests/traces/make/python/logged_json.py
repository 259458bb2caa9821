import json, logging, sys


class Formatter(logging.Formatter):
    def format(self, record):
        line = {"timestamp": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        if record.exc_info:
            line["exc_info"] = self.formatException(record.exc_info)
        return json.dumps(line)


handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(Formatter())
logging.getLogger().addHandler(handler)
try:
    {}["key"]
except KeyError:
    logging.getLogger().exception("lookup failed")
