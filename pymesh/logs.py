"""Logging of the commands: one line an event on standard error, in Istio's shape (time, level, scope, message)."""

import logging
import sys
import time


class _IstioFormatter(logging.Formatter):
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        return time.gmtime(seconds)

    def format(self, record: logging.LogRecord) -> str:
        record.scope = record.name.removeprefix("pymesh.")
        record.level = record.levelname.lower()
        return super().format(record)


class _WithoutPeersFaults(logging.Filter):
    """aiohttp logs a request that is not HTTP as an error, with a traceback. Who sent it is told with a 400."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return type(error).__module__ != "aiohttp.http_exceptions"


def configure_logging(level: str = "info") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_IstioFormatter("%(asctime)s\t%(level)s\t%(scope)s\t%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("pymesh").setLevel(level.upper())
    logging.getLogger("aiohttp.server").filters[:] = [_WithoutPeersFaults()]
