"""x-request-id: random UUIDs (version 4), made by the batch."""

import os
import struct
from collections.abc import Callable

_BATCH = 64
_SIZE = 16  # bytes of an id

# RFC 9562 4: what is not random. The version, 4, has four bits; the variant, binary 10, two. Those of a whole batch
# are set at once, and its ids are written at once: a loop would cost three times as much.
_RANDOM_BITS = int.from_bytes(bytes.fromhex("ffffffffffff0fff3fffffffffffffff") * _BATCH)
_FIXED_BITS = int.from_bytes(bytes.fromhex("00000000000040008000000000000000") * _BATCH)
_split = struct.Struct("8s4s4s4s12s" * _BATCH).unpack
_JOINED = b"%b-%b-%b-%b-%b " * _BATCH


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
        bits = int.from_bytes(self._urandom(_SIZE * _BATCH)) & _RANDOM_BITS | _FIXED_BITS
        digits = bits.to_bytes(_SIZE * _BATCH).hex().encode()
        self._ids = (_JOINED % _split(digits)).split()


new_request_id = RequestIds().new
