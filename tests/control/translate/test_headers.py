from pymesh.control.model.virtual_service import HeaderOperations, Headers
from pymesh.control.translate.headers import authority_of, build_header_operations


def test_set_comes_before_add_and_names_are_sorted():
    operations = HeaderOperations(set={"x-b": "1", "x-a": "2"}, add={"x-0": "3"})
    options = build_header_operations([Headers(request=operations)])["request_headers_to_add"]
    assert [option["header"]["key"] for option in options] == ["x-a", "x-b", "x-0"]


def test_pseudo_headers_and_host_are_no_header_operations():
    operations = HeaderOperations(
        set={":method": "PUT", "Host": "x"}, add={":authority": "y"}, remove=("host", ":path")
    )
    assert build_header_operations([Headers(request=operations)]) == {}


def test_authority_is_what_set_says_before_add():
    headers = Headers(request=HeaderOperations(set={"Host": "set"}, add={":authority": "add"}))
    assert authority_of(headers) == "set"
    assert authority_of(Headers(request=HeaderOperations(add={":authority": "add"}))) == "add"
    assert authority_of(Headers(response=HeaderOperations(set={"host": "x"}))) == ""


def test_levels_are_joined_in_order():
    levels = [Headers(response=HeaderOperations(remove=(name,))) for name in ("a", "b")]
    assert build_header_operations([*levels, None]) == {"response_headers_to_remove": ["a", "b"]}
