import time
from email.utils import formatdate

import pytest
from aiohttp import web

from pymesh.control.authentication import (
    AuthenticationError,
    authorize_workload,
    caller_identity,
    is_authenticated_listener,
    is_loopback,
    require_namespace,
)
from pymesh.spiffe import SpiffeId


class FakeRequest:
    """A request as it is authenticated: its transport, which knows the peer."""

    def __init__(self, **known):
        self._known = known
        self.transport = self

    def get_extra_info(self, name):
        return self._known.get(name)


def over_tls(*uris, seconds=60.0):
    not_after = formatdate(time.time() + seconds, usegmt=True).split(", ")[1]
    day, month, year, clock, zone = not_after.split()
    certificate = {
        "notAfter": f"{month} {day} {clock} {year} {zone}",
        "subjectAltName": tuple(("URI", uri) for uri in uris),
    }
    return FakeRequest(ssl_object=object(), peercert=certificate)


PLAINTEXT = FakeRequest(peername=("127.0.0.1", 1))
NAMELESS = FakeRequest(ssl_object=object())
WEB = "spiffe://cluster.local/ns/default/sa/web"


def test_a_caller_is_its_certificate():
    assert caller_identity(over_tls(WEB)) == SpiffeId("default", "web")
    assert caller_identity(NAMELESS) is None
    assert caller_identity(PLAINTEXT) is None


def test_a_certificate_that_ended_during_the_connection_counts_no_more():
    with pytest.raises(AuthenticationError, match="has expired"):
        caller_identity(over_tls(WEB, seconds=-1))
    with pytest.raises(web.HTTPUnauthorized):
        authorize_workload(over_tls(WEB, seconds=-1), "default", "web")


@pytest.mark.parametrize("uris", [(), ("https://x",), (WEB, "spiffe://cluster.local/ns/default/sa/admin")])
def test_a_certificate_with_no_or_several_identities_is_nobody(uris):
    assert caller_identity(over_tls(*uris)) is None


def test_a_workload_speaks_for_itself_only():
    authorize_workload(over_tls(WEB), "default", "web")
    for namespace, account in (("bank", "web"), ("default", "admin")):
        with pytest.raises(web.HTTPForbidden):
            authorize_workload(over_tls(WEB), namespace, account)
    with pytest.raises(web.HTTPUnauthorized):
        authorize_workload(NAMELESS, "default", "web")


def test_the_plaintext_listener_asks_for_no_proof():
    assert not is_authenticated_listener(PLAINTEXT)
    authorize_workload(PLAINTEXT, "default", "web")


def test_a_caller_of_another_namespace_is_refused():
    assert require_namespace(over_tls(WEB), "default") == "web"
    with pytest.raises(web.HTTPForbidden):
        require_namespace(over_tls(WEB), "bank")


@pytest.mark.parametrize(
    ("address", "expected"), [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("fe80::1%eth0", False)]
)
def test_loopback_callers_are_told_from_others(address, expected):
    assert is_loopback(FakeRequest(peername=(address, 1))) is expected
    assert not is_loopback(FakeRequest())
