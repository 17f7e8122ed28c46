import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.routing.header_mutations import decode_header_change, merge_changes
from pymesh.proxy.telemetry.stream_info import StreamInfo


@pytest.fixture
def info():
    info = StreamInfo(0.0, 0.0)
    info.downstream_remote_address = "10.0.0.1:1234"
    info.downstream_local_address = "[::1]:80"
    info.downstream_principal = "spiffe://cluster.local/ns/default/sa/web"
    info.requested_server_name = "shop"
    info.protocol = b"HTTP/1.1"
    info.route_name = "canary"
    info.upstream_cluster = "outbound|80||shop"
    info.response_code = 200
    info.request_headers = HeaderMap([(b"x-user", b"anna"), (b"host", b"shop")])
    return info


def change(fields):
    reader = Reader(fields, "route")
    decoded = decode_header_change(reader, "request")
    reader.reject_unread()
    return decoded


def add(key, value, **options):
    return {"request_headers_to_add": [{"header": {"key": key, "value": value}, **options}]}


@pytest.mark.parametrize(
    ("action", "present", "absent"),
    [
        ("APPEND_IF_EXISTS_OR_ADD", [b"old", b"new"], [b"new"]),
        ("ADD_IF_ABSENT", [b"old"], [b"new"]),
        ("OVERWRITE_IF_EXISTS_OR_ADD", [b"new"], [b"new"]),
        ("OVERWRITE_IF_EXISTS", [b"new"], []),
    ],
)
def test_each_append_action_does_what_its_name_says(info, action, present, absent):
    mutations = merge_changes([change(add("X-A", "new", append_action=action))])
    for headers, expected in ((HeaderMap([(b"x-a", b"old")]), present), (HeaderMap(), absent)):
        mutations.apply(headers, info)
        assert headers.get_all(b"x-a") == expected


def test_the_deprecated_append_flag_is_obeyed(info):
    headers = HeaderMap([(b"x-a", b"old")])
    merge_changes([change(add("x-a", "new", append=False))]).apply(headers, info)
    assert headers.get_all(b"x-a") == [b"new"]


def test_what_is_removed_goes_before_what_is_added(info):
    fields = add("x-a", "new") | {"request_headers_to_remove": ["X-A"]}
    headers = HeaderMap([(b"x-a", b"old")])
    merge_changes([change(fields)]).apply(headers, info)
    assert headers.items() == [(b"x-a", b"new")]


def test_the_nearer_level_comes_first(info):
    headers = HeaderMap()
    merge_changes([change(add("x-a", "route")), change({}), change(add("x-a", "host"))]).apply(headers, info)
    assert headers.get_all(b"x-a") == [b"route", b"host"]


def test_the_authority_is_replaced_never_doubled(info):
    headers = HeaderMap([(b"host", b"old")])
    merge_changes([change(add(":authority", "new"))]).apply(headers, info)
    assert headers.items() == [(b"host", b"new")]


def test_an_empty_value_is_kept_only_where_asked(info):
    headers = HeaderMap()
    merge_changes([change(add("x-a", "")), change(add("x-b", "", keep_empty_value=True))]).apply(headers, info)
    assert headers.items() == [(b"x-b", b"")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("100%%", b"100%"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%", b"10.0.0.1:1234"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", b"10.0.0.1"),
        ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%/%DOWNSTREAM_LOCAL_PORT%", b"::1/80"),
        ("%DOWNSTREAM_PEER_URI_SAN%", b"spiffe://cluster.local/ns/default/sa/web"),
        ("<%REQUESTED_SERVER_NAME%>", b"<shop>"),
        ("%PROTOCOL%", b"HTTP/1.1"),
        ("%ROUTE_NAME% %UPSTREAM_CLUSTER%", b"canary outbound|80||shop"),
        ("%RESPONSE_CODE%", b"200"),
        ("%REQ(X-User)%", b"anna"),
        ("%REQ(X-User):2%", b"an"),
        ("%REQ(X-None?X-User)%", b"anna"),
        ("%REQ(:AUTHORITY)%", b"shop"),
    ],
)
def test_operators_are_formatted(info, value, expected):
    headers = HeaderMap()
    merge_changes([change(add("x-a", value))]).apply(headers, info)
    assert headers.get(b"x-a") == expected


def test_an_operator_without_a_value_adds_nothing(info):
    headers = HeaderMap()
    merge_changes([change(add("x-a", "%REQ(X-NONE)%")), change(add("x-b", "%RESP(X-USER)%"))]).apply(headers, info)
    assert headers.items() == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (add("x-a", "50%"), "request_headers_to_add[0].header.value: '%' is not an operator"),
        (add("x-a", "%NOPE%"), "request_headers_to_add[0].header.value: '%NOPE%' is not an operator"),
        (add("x-a", "%REQ()%"), "request_headers_to_add[0].header.value: '%REQ()%' is not an operator"),
        (add("x-a", "%REQ(:PATH)%"), "request_headers_to_add[0].header.value: :PATH cannot be read here"),
        (add(":path", "/"), "request_headers_to_add[0].header.key: the only pseudo header"),
        ({"request_headers_to_remove": ["host"]}, "request_headers_to_remove: a pseudo header or host"),
        (add("x-a", "1", append=True, append_action="ADD_IF_ABSENT"), "request_headers_to_add[0].append_action"),
    ],
)
def test_what_cannot_be_done_to_a_header_is_refused(fields, reason):
    with pytest.raises(DecodeError) as raised:
        change(fields)
    assert str(raised.value).startswith("route." + reason)
