import pytest

from pymesh.proxy.downstream.connection_limit import ConnectionLimit, connections_within


def test_a_limit_is_given_back() -> None:
    limit = ConnectionLimit(2)
    assert [limit.try_acquire() for _ in range(3)] == [True, True, False]
    limit.release()
    assert limit.try_acquire()


@pytest.mark.parametrize(("files", "connections"), [(1024, 448), (20_000, 9936), (1 << 20, 50_000), (64, 64)])
def test_half_of_the_files_are_for_endpoints(files: int, connections: int) -> None:
    assert connections_within(files) == connections
