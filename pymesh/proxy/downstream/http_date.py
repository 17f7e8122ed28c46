"""The Date of responses (RFC 9110 5.6.7), formatted once a second."""

from email.utils import formatdate


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
            self._text = formatdate(second, usegmt=True).encode()
        return self._text
