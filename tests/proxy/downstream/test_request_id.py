import uuid

from pymesh.proxy.downstream.request_id import RequestIds, new_request_id


def test_ids_are_random_uuids_and_differ() -> None:
    made = [new_request_id().decode() for _ in range(600)]
    assert len(set(made)) == 600
    assert {uuid.UUID(text).version for text in made} == {4}
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}


def test_randomness_is_fetched_by_the_batch() -> None:
    calls: list[int] = []

    def urandom(size: int) -> bytes:
        calls.append(size)
        return bytes(size)

    ids = RequestIds(urandom)
    assert ids.new() == b"00000000-0000-4000-8000-000000000000"
    for _ in range(63):
        ids.new()
    assert calls == [1024]
