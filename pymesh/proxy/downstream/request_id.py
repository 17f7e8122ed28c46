"""x-request-id: random UUIDs (version 4), made by the batch."""

import os
from collections.abc import Callable

_BATCH = 64

# RFC 9562 4.1: the two upper bits of this digit are 10.
_VARIANT = {ord(digit): b"89ab"[i % 4 : i % 4 + 1] for i, digit in enumerate("0123456789abcdef")}


class RequestIds:
    """One system call for each batch; a list rather than a generator, because a batch at a time costs half."""

    __slots__ = ("_ids", "_urandom")

    def __init__(self, urandom: Callable[[int], bytes] = os.urandom) -> None:
        self._urandom = urandom
        self._ids: list[bytes] = []

    def new(self) -> bytes:
        if not self._ids:
            self._make()
        return self._ids.pop()

    def _make(self) -> None:
        digits = self._urandom(16 * _BATCH).hex().encode()
        self._ids = [_uuid(digits[i : i + 32]) for i in range(0, 32 * _BATCH, 32)]


def _uuid(digits: bytes) -> bytes:
    variant = _VARIANT[digits[16]]
    return b"%b-%b-4%b-%b%b-%b" % (digits[:8], digits[8:12], digits[13:16], variant, digits[17:20], digits[20:])


new_request_id = RequestIds().new
