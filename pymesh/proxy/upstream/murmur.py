"""MurmurHash2 of 64 bits as libstdc++'s std::hash has it: Envoy's other hash for rings. Pure.

https://gcc.gnu.org/git/?p=gcc.git;a=blob_plain;f=libstdc%2b%2b-v3/libsupc%2b%2b/hash_bytes.cc
"""

_MASK = 2**64 - 1
_MULTIPLIER = 0xC6A4A7935BD1E995
_SEED = 0xC70F6907


def murmur_hash2(data: bytes) -> int:
    whole = len(data) & ~7
    value = _SEED ^ (len(data) * _MULTIPLIER & _MASK)
    for position in range(0, whole, 8):
        word = int.from_bytes(data[position : position + 8], "little") * _MULTIPLIER & _MASK
        value = (value ^ _shift_mix(word) * _MULTIPLIER & _MASK) * _MULTIPLIER & _MASK
    if len(data) > whole:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    return _shift_mix(_shift_mix(value) * _MULTIPLIER & _MASK)


def _shift_mix(value: int) -> int:
    return value ^ value >> 47
