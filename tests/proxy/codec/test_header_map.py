from pymesh.proxy.codec.header_map import HeaderMap

PAIRS = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_repeated_values_stand_where_they_came() -> None:
    pairs = [*PAIRS, (b"b", b"4"), (b"c", b"5"), (b"a", b"6")]
    assert HeaderMap(pairs).items() == pairs
    assert HeaderMap(pairs).copy().items() == pairs
    assert HeaderMap(pairs).count() == 6


def test_a_repeated_value_outlives_what_it_came_behind() -> None:
    headers = HeaderMap([*PAIRS, (b"c", b"4")])
    headers.remove(b"b")
    assert headers.items() == [(b"a", b"1"), (b"c", b"4"), (b"a", b"3")]


def test_a_name_that_was_removed_and_comes_again_stands_behind_the_others() -> None:
    headers = HeaderMap([*PAIRS, (b"c", b"4")])
    headers.remove(b"a")
    headers.add(b"a", b"5")
    headers.add(b"a", b"6")
    assert sorted(headers.items()) == [(b"a", b"5"), (b"a", b"6"), (b"b", b"2"), (b"c", b"4")]
    assert headers.get_all(b"a") == [b"5", b"6"]


def test_set_leaves_one_value_in_its_place() -> None:
    headers = HeaderMap(PAIRS)
    headers.set(b"a", b"x")
    assert headers.items() == [(b"a", b"x"), (b"b", b"2")]


def test_remove_takes_all_values_and_forgives_absence() -> None:
    headers = HeaderMap(PAIRS)
    headers.remove(b"a")
    headers.remove(b"nope")
    assert headers.items() == [(b"b", b"2")]
    headers.add(b"a", b"new")
    assert headers.get_all(b"a") == [b"new"]


def test_append_makes_one_line_of_a_list() -> None:
    headers = HeaderMap(PAIRS)
    headers.append(b"a", b"4")
    headers.append(b"c", b"5")
    assert headers.get_all(b"a") == [b"1,3,4"]
    assert headers[b"c"] == b"5"


def test_a_copy_is_its_own() -> None:
    headers = HeaderMap(PAIRS)
    copy = headers.copy()
    copy.add(b"a", b"4")
    copy.set(b"b", b"x")
    assert headers.items() == HeaderMap(PAIRS).items()
    assert copy.get_all(b"a") == [b"1", b"3", b"4"]


def test_absent_names_have_no_values() -> None:
    assert HeaderMap().get_all(b"a") == []
    assert HeaderMap().get_joined(b"a") is None


def test_the_members_of_a_list_are_those_of_all_its_lines_in_lower_case() -> None:
    headers = HeaderMap([(b"connection", b"Keep-Alive , X-Hop"), (b"connection", b"TE")])
    assert headers.get_members(b"connection") == [b"keep-alive", b"x-hop", b"te"]
