"""xxHash64, the hash of Envoy's consistent hashing: for a short key two microseconds. Pure.

https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
"""

from struct import unpack_from

_MASK = 2**64 - 1
_PRIME1 = 0x9E3779B185EBCA87
_PRIME2 = 0xC2B2AE3D27D4EB4F
_PRIME3 = 0x165667B19E3779F9
_PRIME4 = 0x85EBCA77C2B2AE63
_PRIME5 = 0x27D4EB2F165667C5


def xxhash64(data: bytes, seed: int = 0) -> int:
    length = len(data)
    position = length - length % 32
    value = _stripes(data, position, seed) if position else (seed + _PRIME5) & _MASK
    value = (value + length) & _MASK
    while position + 8 <= length:
        (lane,) = unpack_from("<Q", data, position)
        value = (_rotate(value ^ _round(0, lane), 27) * _PRIME1 + _PRIME4) & _MASK
        position += 8
    if position + 4 <= length:
        (lane,) = unpack_from("<I", data, position)
        value = (_rotate(value ^ (lane * _PRIME1 & _MASK), 23) * _PRIME2 + _PRIME3) & _MASK
        position += 4
    for byte in data[position:]:
        value = _rotate(value ^ (byte * _PRIME5 & _MASK), 11) * _PRIME1 & _MASK
    return _avalanche(value)


def _stripes(data: bytes, end: int, seed: int) -> int:
    """Steps 2 and 3 of the specification: whole stripes of 32 bytes into four accumulators, and those into one."""
    accumulators = [(seed + _PRIME1 + _PRIME2) & _MASK, (seed + _PRIME2) & _MASK, seed, (seed - _PRIME1) & _MASK]
    for position in range(0, end, 32):
        lanes = unpack_from("<4Q", data, position)
        accumulators = [_round(accumulator, lane) for accumulator, lane in zip(accumulators, lanes, strict=True)]
    value = (
        sum(_rotate(accumulator, bits) for accumulator, bits in zip(accumulators, (1, 7, 12, 18), strict=True)) & _MASK
    )
    for accumulator in accumulators:
        value = ((value ^ _round(0, accumulator)) * _PRIME1 + _PRIME4) & _MASK
    return value


def _round(accumulator: int, lane: int) -> int:
    return _rotate((accumulator + lane * _PRIME2) & _MASK, 31) * _PRIME1 & _MASK


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _avalanche(value: int) -> int:
    value = (value ^ value >> 33) * _PRIME2 & _MASK
    value = (value ^ value >> 29) * _PRIME3 & _MASK
    return value ^ value >> 32
