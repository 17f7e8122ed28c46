"""Who competes in which setting. A contestant is one proxy, or a pair of them in a row, and is started once.

nginx and HAProxy do less than Envoy and pymesh: they are there to show what a proxy costs at least.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import nginx
import peers
import spread
from contest import PLAIN_HOST, Contest
from measurement import Load, process_tree
from wrk import Wrk

from pymesh.cli.demo.processes import Child
from pymesh.control.ca.authority import open_authority
from pymesh.state_dir import write_private

ENVOY = "Envoy"
PYMESH = "pymesh"
PYMESH_ONE_ROUTE = "pymesh, 1 route"
_NGINX_NAME = "nginx.bench"


class Contestant(NamedTuple):
    """It answers at 127.0.0.1:`port`. `load` is for those that need another than the work's."""

    name: str
    port: int
    children: tuple[Child, ...]
    load: Load | None = None

    @property
    def pids(self) -> list[int]:
        return [pid for child in self.children for pid in process_tree(child.pid)]


Starter = Callable[[], Contestant]
Setting = Callable[[Contest], dict[str, Starter]]


class Started:
    """The contestants that run, by setting and name."""

    def __init__(self, contest: Contest, names: Sequence[str] = ()) -> None:
        """`names`: only these; all, if there are none."""
        self.contest = contest
        self._names = names
        self._contestants: dict[tuple[Setting, str], Contestant] = {}

    def get(self, setting: Setting) -> list[Contestant]:
        starters = setting(self.contest)
        return [self._get(setting, name, starter) for name, starter in starters.items() if self._is_wanted(name)]

    def envoy(self) -> Contestant:
        """The one of the plain setting, whether or not it is among `names`."""
        return self._get(plain, ENVOY, plain(self.contest)[ENVOY])

    def _get(self, setting: Setting, name: str, starter: Starter) -> Contestant:
        if (setting, name) not in self._contestants:
            self._contestants[setting, name] = starter()
        return self._contestants[setting, name]

    def _is_wanted(self, name: str) -> bool:
        return not self._names or name.partition(",")[0] in self._names


# settings


def plain(contest: Contest) -> dict[str, Starter]:
    """One proxy between the client and the backend, in plain HTTP."""
    return {
        ENVOY: lambda: _envoy(contest, has_log=False),
        "nginx": lambda: _one("nginx", contest.start_nginx("nginx", nginx.forward(), contest.backend_port)),
        "HAProxy": lambda: _one("HAProxy", contest.start_haproxy("haproxy", "http", contest.backend_port)),
        PYMESH: lambda: _pymesh(contest, has_log=False),
    }


def python_peers(contest: Contest) -> dict[str, Starter]:
    """As `plain`."""
    starters: dict[str, Starter] = {
        "aiohttp": lambda: _one("aiohttp", contest.start_peer("aiohttp", peers.aiohttp_proxy))
    }
    if peers.is_installed():
        starters["proxy.py"] = lambda: _proxy_py(contest)
        starters["mitmproxy"] = lambda: _one("mitmproxy", contest.start_peer("mitmproxy", peers.mitmproxy))
    return starters


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


def server_side(contest: Contest) -> dict[str, Starter]:
    """A server's sidecar that clients reach with mTLS themselves."""
    payment = contest.payment
    return {
        ENVOY: lambda: _one(ENVOY, contest.start_envoy("envoy-inbound", payment(has_log=False), "virtualInbound")),
        "nginx": lambda: _one("nginx", _nginx_server(contest, "nginx-inbound")),
        PYMESH: lambda: _one(PYMESH, (payment(has_log=False).child, payment(has_log=False).inbound)),
    }


def tcp(contest: Contest) -> dict[str, Starter]:
    """One proxy between the client and an echo server."""
    web = contest.web_with_echo
    return {
        ENVOY: lambda: _one(ENVOY, contest.start_envoy("envoy-tcp", web, web.upstream[0])),
        "HAProxy": lambda: _one("HAProxy", contest.start_haproxy("haproxy-tcp", "tcp", contest.echo_port)),
        PYMESH: lambda: _one(PYMESH, (web.child, web.upstream[1])),
    }


def many_routes(contest: Contest) -> dict[str, Starter]:
    """As `plain`, with 10,000 routes in 1,000 virtual hosts; and with one, asked for the same paths."""
    return {
        ENVOY: lambda: _envoy_with_many_routes(contest),
        PYMESH_ONE_ROUTE: lambda: _pymesh_with_one_route(contest),
        PYMESH: lambda: _one(PYMESH, (contest.web_with_many_routes.child, contest.web_with_many_routes.outbound)),
    }


# contestants


def _one(name: str, started: tuple[Child, int]) -> Contestant:
    child, port = started
    return Contestant(name, port, (child,))


def _envoy(contest: Contest, has_log: bool) -> Contestant:
    name = "envoy-log" if has_log else "envoy"
    return _one(ENVOY, contest.start_envoy(name, contest.web(has_log=has_log), "http_proxy", has_log=has_log))


def _pymesh(contest: Contest, has_log: bool) -> Contestant:
    web = contest.web(has_log=has_log)
    return Contestant(PYMESH, web.outbound, (web.child,))


def _envoy_with_many_routes(contest: Contest) -> Contestant:
    web, mesh = contest.web_with_many_routes, contest.mesh_of_many_routes
    return _one(ENVOY, contest.start_envoy("envoy-many", web, "http_proxy", mesh=mesh))


def _pymesh_with_one_route(contest: Contest) -> Contestant:
    script = spread.write_script(contest.directory / "one-route.lua", [PLAIN_HOST])
    return _pymesh(contest, has_log=False)._replace(name=PYMESH_ONE_ROUTE, load=Wrk(PLAIN_HOST, script=script))


def _proxy_py(contest: Contest) -> Contestant:
    script = contest.directory / "absolute.lua"
    script.write_text(f'wrk.path = "http://127.0.0.1:{contest.backend_port}/"\n')
    return _one("proxy.py", contest.start_peer("proxy.py", peers.proxy_py))._replace(load=Wrk("any", script=script))


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
    """The client has the certificate of web's sidecar."""
    web = contest.web(has_log=False)
    server, server_port = _nginx_server(contest, "nginx-server")
    location = nginx.forward("https", nginx.client_tls(web.certificate, web.root, _NGINX_NAME))
    client, port = contest.start_nginx("nginx-client", location, server_port)
    return Contestant("nginx", port, (client, server))


def _nginx_server(contest: Contest, name: str) -> tuple[Child, int]:
    """Its certificate is the mesh's, but has a DNS name: nginx checks no URI."""
    issued = open_authority(contest.mesh.state_dir.ca).issue_server((_NGINX_NAME,))
    certificate = contest.directory / f"{name}.pem"
    write_private(certificate, issued.key_pem + issued.chain_pem)
    tls = nginx.server_tls(certificate, contest.web(has_log=False).root)
    return contest.start_nginx(name, nginx.forward(), contest.backend_port, tls)
