"""The ingress gateway: a proxy at the edge of the mesh, without an application and without a lease.

It listens where the Gateway resources that select its labels say, and only there: the listener manager opens and
closes ports as LDS tells. This module says who the gateway is and tells the user which ports it chose.
"""

import socket
from collections.abc import Callable

from pymesh.ingress.options import GatewayOptions
from pymesh.names import (
    APP_LABEL,
    CANONICAL_NAME_LABEL,
    CANONICAL_REVISION_LABEL,
    DEFAULT_DOMAIN,
    TLS_MODE_LABEL,
)
from pymesh.proxy.instance import claim_instance
from pymesh.proxy.server import ProxyServer
from pymesh.proxy.sockets import advertised_host, bind_flag, bound_address, can_bind_privileged_ports, reserve_port
from pymesh.xds import ROUTER, Address, Node, NodeMetadata, parse_node_locality

_ANY_HOST = "0.0.0.0"
_PRIVILEGED = 1024
_OFFSET = 8000  # by which an unprivileged gateway's ports below 1024 are higher, as Istio's charts have it
_LATEST = "latest"  # Istio's canonical revision of who has none


class Gateway:
    """`say` is told which ports the gateway listens on, whenever that changes."""

    def __init__(self, options: GatewayOptions, say: Callable[[str], None]) -> None:
        self._say = say
        self._instance = claim_instance(
            options.proxy.state_dir, options.namespace, f"gateway-{options.name}", options.workload_name
        )
        admin_socket = bind_flag("--admin-listen", options.proxy.admin_listen, self._instance.ports.get("admin", 0))
        self._admin = bound_address(admin_socket)
        self._reserved = self._reserve_ports(options.port_map)
        self._port_map = options.port_map | {port: bound_address(sock).port for port, sock in self._reserved.items()}
        self._save_ports()
        self._listening: dict[str, str] = {}
        self._node = build_node(options, self._instance.name, self._port_map)
        self.server = ProxyServer(
            options.proxy,
            self._node,
            self._instance,
            admin_socket,
            {},
            own_ports=self.describe_ports,
            on_configured=self._announce_listeners,
        )

    @property
    def addresses(self) -> str:
        """One line: who it is and where it listens."""
        return f"pymesh gateway {self._instance.name}: {', '.join([*self._listening.values(), f'admin {self._admin}'])}"

    def describe_ports(self) -> dict[str, object]:
        """For the admin page /ports."""
        return {"admin": str(self._admin)}

    # life

    async def start(self) -> None:
        await self.server.start()

    async def wait_ready(self) -> None:
        await self.server.wait_serving()

    async def wait_quit(self) -> None:
        await self.server.quit.wait()

    async def drain(self) -> None:
        await self.server.drain()

    async def aclose(self) -> None:
        await self.server.aclose()
        for sock in self._reserved.values():
            sock.close()

    # ports

    def _reserve_ports(self, port_map: dict[int, int]) -> dict[int, socket.socket]:
        """A free port for each that is mapped to 0, the one of last time if possible, so that it outlives a restart."""
        mapped = [port for port, bound in port_map.items() if bound == 0]
        return {port: reserve_port(_ANY_HOST, self._instance.ports.get(f"gateway {port}", 0)) for port in mapped}

    def _save_ports(self) -> None:
        self._instance.ports["admin"] = self._admin.port
        self._instance.ports |= {f"gateway {port}": bound_address(s).port for port, s in self._reserved.items()}
        self._instance.save()

    def _announce_listeners(self) -> None:
        addresses = self.server.data_plane.addresses()
        known, self._listening = self._listening, {name: self._describe(a) for name, a in addresses.items()}
        for name, text in self._listening.items():
            if known.get(name) != text:
                self._say(f"listening on {text}")
        for name in known.keys() - self._listening.keys():
            self._say(f"no longer listening on {known[name]}")

    def _describe(self, address: Address) -> str:
        return f"{address} (Gateway port {gateway_port(self._node.metadata, address.port)})"


def gateway_port(node: NodeMetadata, bound_port: int) -> int:
    """The port of the Gateway resources that is open as `bound_port`."""
    for port, mapped in node.port_map.items():
        if mapped == bound_port:
            return port
    is_shifted = node.unprivileged and _OFFSET < bound_port < _OFFSET + _PRIVILEGED
    return bound_port - _OFFSET if is_shifted else bound_port


def build_node(options: GatewayOptions, instance_name: str, port_map: dict[int, int]) -> Node:
    host = advertised_host(_ANY_HOST)
    metadata = NodeMetadata(
        name=instance_name,
        namespace=options.namespace,
        workload_name=options.workload_name,
        labels=_labels(options),
        service_account=options.service_account,
        service=options.workload_name,
        port_map=port_map,
        unprivileged=not can_bind_privileged_ports(),
    )
    node_id = f"{ROUTER}~{host}~{instance_name}.{options.namespace}~{options.namespace}.svc.{DEFAULT_DOMAIN}"
    locality = parse_node_locality(options.proxy.locality)
    return Node(node_id, f"{options.workload_name}.{options.namespace}", metadata, locality)


def _labels(options: GatewayOptions) -> dict[str, str]:
    own = {
        APP_LABEL: options.workload_name,
        "istio": options.name,  # what the samples' Gateways select
        TLS_MODE_LABEL: "istio",
        CANONICAL_NAME_LABEL: options.workload_name,
        CANONICAL_REVISION_LABEL: _LATEST,
    }
    return own | options.labels
