import pytest

from pymesh.proxy.xxhash import xxhash64


@pytest.mark.parametrize(
    ("data", "seed", "digest"),
    [
        # known answers of the reference implementation
        (b"", 0, 0xEF46DB3751D8E999),
        (b"a", 0, 0xD24EC4F1A98C6E5B),
        (b"abc", 0, 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
    ],
)
def test_the_hash_is_xxhash64(data, seed, digest):
    assert xxhash64(data, seed) == digest


def test_every_length_and_seed_gives_64_bits_of_its_own():
    digests = {xxhash64(b"x" * length, seed) for length in range(100) for seed in (0, 1, 2**64 - 1)}
    assert len(digests) == 300
    assert all(0 <= digest < 2**64 for digest in digests)
