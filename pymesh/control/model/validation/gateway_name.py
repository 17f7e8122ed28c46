"""How a VirtualService names the gateways that it is for."""

from collections.abc import Sequence

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax

MESH = "mesh"  # all sidecars


def check_gateway_names(gateways: Sequence[str], at: Scope) -> None:
    """`mesh`, `name`, `./name`, `namespace/name`, or the older `name.namespace.svc...`."""
    for index, gateway in enumerate(gateways):
        namespace, slash, name = gateway.rpartition("/")
        if slash:
            at[index].require(namespace == "." or syntax.is_dns_label(namespace), f"{namespace!r} is not a namespace")
            syntax.check_dns_label(name, at[index])
        else:
            syntax.check_exact_host(gateway, at[index])
