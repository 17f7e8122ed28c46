"""The ingress gateway: a proxy at the edge of the mesh, without an application and without a lease.

It listens where the Gateway resources that select its labels say, and only there: the listener manager opens and
closes ports as LDS tells. This module says who the gateway is and tells the user which ports it chose.
"""

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
from pymesh.proxy.sockets import advertised_host, bind_address, bound_address, can_bind_privileged_ports
from pymesh.xds import ROUTER, Node, NodeMetadata

_ANY_HOST = "0.0.0.0"
_LATEST = "latest"  # Istio's canonical revision of who has none


class Gateway:
    """`say` is told which ports the gateway listens on, whenever that changes."""

    def __init__(self, options: GatewayOptions, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._instance = claim_instance(
            options.proxy.state_dir, options.namespace, f"gateway-{options.name}", options.workload_name
        )
        admin_socket = bind_address(options.proxy.admin_listen, self._instance.ports.get("admin", 0))
        self._admin = bound_address(admin_socket)
        self._instance.ports["admin"] = self._admin.port
        self._instance.save()
        self._listening: dict[str, str] = {}
        self.server = ProxyServer(
            options.proxy,
            build_node(options, self._instance.name),
            self._instance,
            admin_socket,
            {},
            own_ports=self.describe_ports,
            on_configured=self._announce_listeners,
        )

    @property
    def addresses(self) -> str:
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

    def _announce_listeners(self) -> None:
        known, self._listening = self._listening, self._describe_listeners()
        for name, text in self._listening.items():
            if known.get(name) != text:
                self._say(f"listening on {text}")
        for name in known.keys() - self._listening.keys():
            self._say(f"no longer listening on {known[name]}")

    def _describe_listeners(self) -> dict[str, str]:
        return {name: str(address) for name, address in self.server.listeners.addresses().items()}


def build_node(options: GatewayOptions, instance_name: str) -> Node:
    host = advertised_host(_ANY_HOST)
    metadata = NodeMetadata(
        name=instance_name,
        namespace=options.namespace,
        workload_name=options.workload_name,
        labels=_labels(options),
        service_account=options.service_account,
        service=options.workload_name,
        port_map=options.port_map,
        unprivileged=not can_bind_privileged_ports(),
    )
    node_id = f"{ROUTER}~{host}~{instance_name}.{options.namespace}~{options.namespace}.svc.{DEFAULT_DOMAIN}"
    return Node(node_id, f"{options.workload_name}.{options.namespace}", metadata)


def _labels(options: GatewayOptions) -> dict[str, str]:
    own = {
        APP_LABEL: options.workload_name,
        "istio": options.name,  # what the samples' Gateways select
        TLS_MODE_LABEL: "istio",
        CANONICAL_NAME_LABEL: options.workload_name,
        CANONICAL_REVISION_LABEL: _LATEST,
    }
    return own | options.labels
