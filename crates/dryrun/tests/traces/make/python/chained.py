import json


def load(text):
    try:
        return json.loads(text)
    except ValueError:
        return {}["missing"]


load("{nope")
