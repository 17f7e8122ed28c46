"""x-request-id: random UUIDs (version 4), made by the batch."""

import os
from collections.abc import Callable, Iterator

_BATCH = 256


def request_ids(urandom: Callable[[int], bytes] = os.urandom) -> Iterator[bytes]:
    """Endless; one system call for each batch."""
    while True:
        digits = urandom(16 * _BATCH).hex().encode()
        for i in range(0, 32 * _BATCH, 32):
            yield b"%b-%b-4%b-%b%b-%b" % (
                digits[i : i + 8],
                digits[i + 8 : i + 12],
                digits[i + 13 : i + 16],
                _VARIANT[digits[i + 16]],
                digits[i + 17 : i + 20],
                digits[i + 20 : i + 32],
            )


# RFC 9562 4.1: the two upper bits of this digit are 10.
_VARIANT = {ord(digit): b"89ab"[i % 4 : i % 4 + 1] for i, digit in enumerate("0123456789abcdef")}

new_request_id = request_ids().__next__
