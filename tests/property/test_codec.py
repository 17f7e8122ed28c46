"""Any bytes are messages or an error, never an exception; how they are cut into reads changes nothing; what passes has
the meaning that another parser finds in it, and keeps it when it is written again."""

from typing import Any

from fuzz.codec_checks import check_requests, check_response
from fuzz.codec_log import messages, read_requests, read_response, read_responses
from fuzz.seeds import REQUESTS, RESPONSES, WORDS
from hypothesis import given, settings
from hypothesis import strategies as st

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.serializer import write_chunk, write_head, write_last_chunk

CUTS = st.lists(st.integers(0, 300), max_size=12)
_WORD = st.sampled_from(WORDS)
_PIECE = st.one_of(_WORD, _WORD, _WORD, st.binary(max_size=8))


def _nearly(seeds: tuple[bytes, ...]) -> Any:
    """A seed of which a piece is replaced, or something made of words."""

    @st.composite
    def changed(draw: Any) -> bytes:
        seed = draw(st.sampled_from(seeds))
        start = draw(st.integers(0, len(seed)))
        end = draw(st.integers(start, min(len(seed), start + 12)))
        return bytes(seed[:start] + draw(_PIECE) + seed[end:])

    made = st.lists(st.one_of(_PIECE, st.sampled_from(seeds)), max_size=14).map(b"".join)
    return st.one_of(changed(), changed(), made)


@settings(max_examples=500, deadline=None)
@given(_nearly(REQUESTS), CUTS)
def test_requests_have_one_meaning_however_they_come(data: bytes, cuts: list[int]) -> None:
    check_requests(data, cuts)


@settings(max_examples=500, deadline=None)
@given(_nearly(RESPONSES), CUTS, st.sampled_from((b"GET", b"HEAD")), st.booleans())
def test_responses_have_one_meaning_however_they_come(
    data: bytes, cuts: list[int], method: bytes, wants_upgrade: bool
) -> None:
    check_response(data, cuts, method, wants_upgrade and method == b"GET")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), CUTS)
def test_any_bytes_are_messages_or_an_error(data: bytes, cuts: list[int]) -> None:
    check_requests(data, cuts)
    check_response(data, cuts)


# heads that come again

_CLIENT = st.lists(st.sampled_from(REQUESTS) | _nearly(REQUESTS), min_size=1, max_size=3)
_SERVER = st.lists(st.sampled_from(RESPONSES) | _nearly(RESPONSES), min_size=1, max_size=3)
_TURNS = st.lists(st.integers(0, 2), min_size=2, max_size=8)


@settings(max_examples=300, deadline=None)
@given(_CLIENT, _TURNS)
def test_a_request_means_the_same_when_its_head_is_known(messages: list[bytes], turns: list[int]) -> None:
    reads = list(filter(None, (messages[turn % len(messages)] for turn in turns)))  # a read is never empty
    piecemeal = [bytes((byte,)) for byte in b"".join(reads)]
    known, parsed = read_requests(reads), read_requests(piecemeal)
    assert (known.events, known.error) == (parsed.events, parsed.error)


@settings(max_examples=300, deadline=None)
@given(_SERVER, st.lists(st.tuples(st.integers(0, 2), st.sampled_from((b"GET", b"GET", b"HEAD"))), max_size=8))
def test_a_response_means_the_same_when_its_head_is_known(
    messages: list[bytes], turns: list[tuple[int, bytes]]
) -> None:
    exchanges = [(method, messages[turn % len(messages)]) for turn, method in turns]
    assert read_responses(exchanges, is_forgetful=False) == read_responses(exchanges, is_forgetful=True)


# what we write

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=10).map(str.encode)
VALUES = st.text("abc ;=/0189", max_size=20).map(lambda text: text.strip().encode())
RESERVED = {b"host", b"connection", b"upgrade", b"te"}
PAIRS = st.lists(st.tuples(TOKENS, VALUES).filter(lambda pair: pair[0] not in RESERVED), max_size=12)
CHUNKS = st.lists(st.binary(min_size=1, max_size=50), max_size=5)


def _written(start_line: bytes, headers: HeaderMap, chunks: list[bytes]) -> bytes:
    headers.set(b"transfer-encoding", b"chunked")
    return write_head(start_line, headers) + b"".join(map(write_chunk, chunks)) + write_last_chunk(None)


@settings(max_examples=100, deadline=None)
@given(PAIRS, CHUNKS)
def test_a_request_that_is_written_is_read_back(pairs: list[tuple[bytes, bytes]], chunks: list[bytes]) -> None:
    headers = HeaderMap([(b"host", b"a"), *pairs])
    outcome = read_requests([_written(b"POST /x HTTP/1.1\r\n", headers, chunks)])
    assert outcome.error is None
    (message,) = messages(outcome.events)
    assert (message.head[3], message.body) == (headers.items(), b"".join(chunks))


@settings(max_examples=100, deadline=None)
@given(PAIRS, CHUNKS)
def test_a_response_that_is_written_is_read_back(pairs: list[tuple[bytes, bytes]], chunks: list[bytes]) -> None:
    headers = HeaderMap(pairs)
    outcome = read_response([_written(b"HTTP/1.1 200 OK\r\n", headers, chunks)])
    assert outcome.error is None
    (message,) = messages(outcome.events)
    assert (message.head[2], message.body) == (headers.items(), b"".join(chunks))
