"""The Date of responses (RFC 9110 5.6.7), formatted once a second."""

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class DateCache:
    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def at(self, now: float) -> bytes:
        """`now` in seconds since the epoch."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = format_date(second).encode()
        return self._text


def format_date(second: int) -> str:
    """IMF-fixdate. Not strftime's, whose names are the locale's."""
    t = time.gmtime(second)
    clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon]} {t.tm_year:04} {clock} GMT"
