import pytest

from pymesh.control.model.virtual_service import HTTPRedirect
from pymesh.control.translate.redirect import build_redirect
from pymesh.control.translate.route_context import RouteContext


def _redirect(redirect: HTTPRedirect, port: int = 80, is_tls: bool = False):
    context = RouteContext(view=None, rule=None, port=port, is_tls=is_tls)  # type: ignore[arg-type]
    return build_redirect(redirect, context)


def test_default_code_is_301():
    assert _redirect(HTTPRedirect(uri="/x")) == {"response_code": "MOVED_PERMANENTLY", "path_redirect": "/x"}


def test_code_that_is_no_redirect_has_no_action():
    assert _redirect(HTTPRedirect(redirect_code=200)) is None


@pytest.mark.parametrize(
    ("redirect", "port", "is_tls", "written"),
    [
        (HTTPRedirect(port=8080), 80, False, 8080),
        (HTTPRedirect(port=80), 80, False, None),
        (HTTPRedirect(port=443, scheme="https"), 80, False, None),
        (HTTPRedirect(port=443), 443, True, None),
        (HTTPRedirect(derive_port="FROM_REQUEST_PORT"), 8080, False, 8080),
        (HTTPRedirect(derive_port="FROM_REQUEST_PORT"), 80, False, None),
        (HTTPRedirect(derive_port="FROM_PROTOCOL_DEFAULT"), 8080, False, None),
    ],
)
def test_ports_of_a_redirect(redirect, port, is_tls, written):
    built = _redirect(redirect, port, is_tls)
    assert built is not None
    assert built.get("port_redirect") == written


def test_uri_goes_before_prefix_rewrite():
    assert _redirect(HTTPRedirect(prefix_rewrite="/p")).get("prefix_rewrite") == "/p"
    assert "prefix_rewrite" not in _redirect(HTTPRedirect(uri="/x", prefix_rewrite="/p"))
