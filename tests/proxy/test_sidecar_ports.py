from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pymesh.proxy.instance import claim_instance
from pymesh.proxy.options import ProxyOptions, SidecarOptions
from pymesh.proxy.sidecar_ports import SidecarPorts
from pymesh.state_dir import StateDir
from pymesh.xds import Address, Upstream

ANY_PORT = Address("127.0.0.1", 0)
Open = Callable[..., SidecarPorts]


@pytest.fixture
def open_ports(tmp_path: Path) -> Iterator[Open]:
    """Opens the ports of the same sidecar, after those that it opened before are closed."""
    opened: list[SidecarPorts] = []

    def close() -> None:
        for ports in opened:
            for sock in (*ports.sockets.values(), ports.admin_socket):
                sock.close()
        opened.clear()

    def open_again(**options: Any) -> SidecarPorts:
        close()
        state_dir = StateDir(tmp_path)
        instance = claim_instance(state_dir, "default", "web-v1", "web-v1")
        proxy = ProxyOptions(state_dir, admin_listen=ANY_PORT)
        defaults = {"service": "web", "app_port": 8080, "inbound_listen": ANY_PORT, "outbound_listen": ANY_PORT}
        opened.append(SidecarPorts(SidecarOptions(proxy=proxy, **(defaults | options)), instance))
        instance.release()
        return opened[-1]

    yield open_again
    close()


def test_every_socket_is_found_by_the_address_that_the_configuration_will_name(open_ports: Open) -> None:
    ports = open_ports(upstreams=(Upstream(0, "db", 5432),))
    upstream = Address("127.0.0.1", ports.upstreams[0].local_port)
    assert set(ports.sockets) == {ports.inbound, ports.outbound, upstream}


def test_a_sidecar_that_restarts_listens_where_it_did(open_ports: Open) -> None:
    upstreams = (Upstream(0, "db", 5432), Upstream(0, "cache", 6379))
    before = open_ports(upstreams=upstreams).describe()
    assert open_ports(upstreams=upstreams).describe() == before


def test_an_application_that_only_calls_has_no_inbound_port(open_ports: Open) -> None:
    assert open_ports(app_port=0).inbound is None


def test_an_application_that_is_started_with_its_sidecar_is_given_a_port_of_its_own(open_ports: Open) -> None:
    ports = open_ports(app_port=0, assigns_app_port=True)
    assert ports.app_port > 0
    assert ports.inbound is not None
    assert open_ports(app_port=0, assigns_app_port=True).app_port == ports.app_port
