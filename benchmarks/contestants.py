"""Who competes in which setting. A contestant is one proxy, or a pair of them in a row, and is started once.

nginx and HAProxy do less than the other two: they are there to show what a proxy costs at least.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import nginx
from contest import Contest

from pymesh.cli.demo.processes import Child
from pymesh.control.ca.authority import open_authority
from pymesh.state_dir import write_private

ENVOY = "Envoy"
PYMESH = "pymesh"
_NGINX_NAME = "nginx.bench"


class Contestant(NamedTuple):
    """It answers at 127.0.0.1:`port`."""

    name: str
    port: int
    children: tuple[Child, ...]

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self.children]


Starter = Callable[[], Contestant]
Setting = Callable[[Contest], dict[str, Starter]]


class Started:
    """The contestants that run, by setting and name."""

    def __init__(self, contest: Contest, names: Sequence[str] = ()) -> None:
        """`names`: only these; all, if there are none."""
        self._contest = contest
        self._names = names
        self._contestants: dict[tuple[Setting, str], Contestant] = {}

    def get(self, setting: Setting) -> list[Contestant]:
        starters = setting(self._contest)
        chosen = [name for name in starters if not self._names or name in self._names]
        for name in chosen:
            if (setting, name) not in self._contestants:
                self._contestants[setting, name] = starters[name]()
        return [self._contestants[setting, name] for name in chosen]


def plain(contest: Contest) -> dict[str, Starter]:
    """One proxy between the client and the backend, in plain HTTP."""
    return {
        ENVOY: lambda: _envoy(contest, has_log=False),
        "nginx": lambda: _one("nginx", contest.start_nginx("nginx", nginx.forward(), contest.backend_port)),
        "HAProxy": lambda: _one("HAProxy", contest.start_haproxy("haproxy", "http", contest.backend_port)),
        PYMESH: lambda: _pymesh(contest, has_log=False),
    }


def plain_with_log(contest: Contest) -> dict[str, Starter]:
    return {ENVOY: lambda: _envoy(contest, has_log=True), PYMESH: lambda: _pymesh(contest, has_log=True)}


def pair(contest: Contest) -> dict[str, Starter]:
    """A client's sidecar and a server's with mTLS between them."""
    return {
        ENVOY: lambda: _envoy_pair(contest, has_log=False),
        "nginx": lambda: _nginx_pair(contest),
        PYMESH: lambda: _pymesh_pair(contest, has_log=False),
    }


def pair_with_log(contest: Contest) -> dict[str, Starter]:
    return {ENVOY: lambda: _envoy_pair(contest, has_log=True), PYMESH: lambda: _pymesh_pair(contest, has_log=True)}


def _one(name: str, started: tuple[Child, int]) -> Contestant:
    child, port = started
    return Contestant(name, port, (child,))


def _envoy(contest: Contest, has_log: bool) -> Contestant:
    name = "envoy-log" if has_log else "envoy"
    return _one(ENVOY, contest.start_envoy(name, contest.web(has_log=has_log), "http_proxy", has_log=has_log))


def _pymesh(contest: Contest, has_log: bool) -> Contestant:
    web = contest.web(has_log=has_log)
    return Contestant(PYMESH, web.outbound, (web.child,))


def _envoy_pair(contest: Contest, has_log: bool) -> Contestant:
    payment, web = contest.payment(has_log=has_log), contest.web(has_log=has_log)
    suffix = "-log" if has_log else ""
    server, inbound = contest.start_envoy(f"envoy-server{suffix}", payment, "virtualInbound", has_log=has_log)
    moved = {payment.inbound: inbound}
    client, port = contest.start_envoy(f"envoy-client{suffix}", web, "http_proxy", moved=moved, has_log=has_log)
    return Contestant(ENVOY, port, (client, server))


def _pymesh_pair(contest: Contest, has_log: bool) -> Contestant:
    payment, web = contest.payment(has_log=has_log), contest.web(has_log=has_log)
    return Contestant(PYMESH, web.outbound, (web.child, payment.child))


def _nginx_pair(contest: Contest) -> Contestant:
    """The client has the certificate of web's sidecar; the server's one has a DNS name: nginx checks no URI."""
    web = contest.web(has_log=False)
    issued = open_authority(contest.mesh.state_dir.ca).issue_server((_NGINX_NAME,))
    certificate = contest.directory / "nginx-server.pem"
    write_private(certificate, issued.key_pem + issued.chain_pem)
    tls = nginx.server_tls(certificate, web.root)
    server, server_port = contest.start_nginx("nginx-server", nginx.forward(), contest.backend_port, tls)
    location = nginx.forward("https", nginx.client_tls(web.certificate, web.root, _NGINX_NAME))
    client, port = contest.start_nginx("nginx-client", location, server_port)
    return Contestant("nginx", port, (client, server))
