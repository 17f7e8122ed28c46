import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.errors import DecodeError
from pymesh.protojson import Reader, format_duration, fractional_percent, parse_duration, parse_go_duration


@pytest.mark.parametrize(("text", "seconds"), [("1.5s", 1.5), ("0s", 0.0), ("3600s", 3600.0), ("0.000001s", 1e-6)])
def test_a_proto_duration_is_seconds(text, seconds):
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "1", "1m", "s", "1.s", " 1s", "1s\n", "1e3s"])
def test_what_is_no_proto_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h", 3600), ("1h30m", 5400), ("250ms", 0.25), ("1.5s", 1.5), ("10us", 1e-5)]
)
def test_a_duration_of_istio_yaml_is_seconds(text, seconds):
    assert parse_go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", "1h 5s", "1d"])
def test_what_istio_refuses_as_a_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_go_duration(text)


@given(st.integers(min_value=0, max_value=10**15))
def test_durations_survive_the_wire_to_the_microsecond(microseconds):
    assert parse_duration(format_duration(microseconds / 1e6)) == pytest.approx(microseconds / 1e6)


@pytest.mark.parametrize("percent", [0, 0.0001, 1, 33.3333, 100])
def test_percentages_survive_the_wire(percent):
    assert Reader({"p": fractional_percent(percent)}).percent("p") == percent


def test_an_error_names_the_whole_path():
    reader = Reader({"routes": [{"match": {}}, {"match": {"prefix": 7}}]})
    with pytest.raises(DecodeError, match=r"^routes\[1\]\.match\.prefix: must be a string, not a number$"):
        reader.objects("routes")[1].required_object("match").string("prefix")


def test_both_spellings_of_a_field_are_read():
    assert Reader({"connectTimeout": "2s"}).duration("connect_timeout") == 2.0
    assert Reader({"connect_timeout": "2s"}).duration("connect_timeout") == 2.0


def test_a_field_that_nobody_read_is_rejected_with_its_path():
    reader = Reader({"name": "a", "inner": {"known": 1, "unknown": 2}})
    reader.string("name")
    reader.required_object("inner").integer("known")
    with pytest.raises(DecodeError, match=r"^inner\.unknown: "):
        reader.reject_unread()


def test_ignored_fields_are_not_rejected():
    reader = Reader({"stat_prefix": "x"})
    reader.ignore("stat_prefix")
    reader.reject_unread()


def test_null_is_absent():
    assert Reader({"a": None}).object("a") is None


def test_two_fields_of_a_oneof_are_an_error():
    with pytest.raises(DecodeError, match="cannot stand beside exact"):
        Reader({"exact": "a", "prefix": "b"}).oneof("exact", "prefix")


@pytest.mark.parametrize("value", [True, "x", 1.5, [], {}])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(DecodeError, match="must be an integer"):
        Reader({"n": value}).integer("n")


def test_64_bit_integers_are_strings_in_proto_json():
    assert Reader({"n": "4294967296"}).integer("n") == 4294967296
