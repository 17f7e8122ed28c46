import pytest

from pymesh.control.snapshot.host_index import HostIndex, covering_hosts, intersect, is_subset


def test_covering_hosts_go_from_exact_to_everything():
    assert list(covering_hosts("a.b.c")) == ["a.b.c", "*.b.c", "*.c", "*"]
    assert list(covering_hosts("*.b.c")) == ["*.b.c", "*.c", "*"]
    assert list(covering_hosts("*")) == ["*"]


def test_exact_host_beats_the_longest_wildcard_which_beats_shorter_ones():
    index: HostIndex[int] = HostIndex()
    for number, host in enumerate(("*", "*.com", "*.b.com", "a.b.com")):
        index.add(host, number)
    assert [index.most_specific(host) for host in ("a.b.com", "x.b.com", "x.com", "x.org")] == [3, 2, 1, 0]


def test_first_of_a_host_stays():
    index: HostIndex[str] = HostIndex()
    index.add("a", "first")
    assert index.add("a", "second") == "first"
    assert index.exact("a") == "first"


def test_nothing_is_found_for_a_host_that_nothing_covers():
    index: HostIndex[str] = HostIndex()
    index.add("*.b.com", "wild")
    assert index.most_specific("b.com") is None


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("a.b.com", "*.b.com", "a.b.com"),
        ("*.com", "*.b.com", "*.b.com"),
        ("*", "a", "a"),
        ("a", "a", "a"),
        ("b.com", "*.b.com", None),
        ("a.com", "b.com", None),
    ],
)
def test_intersection_is_the_narrower_host(one, other, shared):
    assert intersect(one, other) == intersect(other, one) == shared


def test_wildcard_is_a_subset_of_a_wider_one_only():
    assert is_subset("*.a.com", "*.com")
    assert not is_subset("*.com", "*.a.com")
