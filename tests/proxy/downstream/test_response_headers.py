from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.http_date import DateCache
from pymesh.proxy.downstream.response_headers import ResponseHeaderPolicy


def test_fields_that_a_further_connection_line_names_go_too() -> None:
    headers = HeaderMap([(b"connection", b"keep-alive"), (b"x-hop", b"1"), (b"connection", b"x-hop"), (b"etag", b"2")])
    ResponseHeaderPolicy(HttpConnectionManagerConfig(), DateCache()).apply(headers, HeaderMap(), is_upgrade=False)
    assert b"connection" not in headers
    assert b"x-hop" not in headers
    assert headers[b"etag"] == b"2"
