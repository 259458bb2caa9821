class ConfigError(Exception):
    pass


def read():
    try:
        open("/does/not/exist")
    except IOError as error:
        raise ConfigError("no configuration") from error


read()
