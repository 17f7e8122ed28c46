"""Coverage-guided fuzzing with atheris: `python tests/fuzz/run.py TARGET [flags of libFuzzer]`.

TARGET is `requests`, `responses` or `connection`. Exit code 0 after `-runs` or `-max_total_time`; a find is a traceback
and another exit code, and the input that led to it is in a file that libFuzzer names.
"""

import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["pymesh.proxy"]):
    from fuzz.codec_checks import check_requests, check_response
    from fuzz.connection_script import SEEDS, Script
from fuzz.seeds import REQUESTS, RESPONSES, WORDS

# The first bytes of an input say how the rest is cut into reads.
_CUTS = 3


def fuzz_requests(data: bytes) -> None:
    check_requests(data[_CUTS:], data[:_CUTS])


def fuzz_responses(data: bytes) -> None:
    kind = data[0] if data else 0
    check_response(data[_CUTS:], data[:_CUTS], b"HEAD" if kind % 4 == 1 else b"GET", wants_upgrade=kind % 4 == 2)


TARGETS: dict[str, tuple[Callable[[], Callable[[bytes], None]], tuple[bytes, ...]]] = {
    "requests": (lambda: fuzz_requests, tuple(b"\x05\x20\x40" + seed for seed in REQUESTS)),
    "responses": (
        lambda: fuzz_responses,
        tuple(bytes((kind, 9, 40)) + seed for seed in RESPONSES for kind in range(4)),
    ),
    "connection": (lambda: Script().run, SEEDS),
}


def main() -> None:
    name, flags = sys.argv[1], sys.argv[2:]
    build, seeds = TARGETS[name]
    logging.disable(logging.WARNING)  # what peers do is no news; a bug is a find all the same
    with tempfile.TemporaryDirectory() as directory:
        corpus, words = Path(directory) / "corpus", Path(directory) / "words"
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*WORDS, b"\xffc", b"\xffs", b"\xffS", b"\xfft")))
        atheris.Setup([sys.argv[0], f"-dict={words}", "-max_len=2000", *flags, str(corpus)], build())
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
