"""Protocol buffers, as far as OpenAPI v2 documents need them: fields out of Python values. Pure.

https://protobuf.dev/programming-guides/encoding/
"""


def text(number: int, value: str) -> bytes:
    return message(number, value.encode()) if value else b""


def message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)
