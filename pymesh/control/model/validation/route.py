"""What HTTP and TCP routes share: gateways by name, destinations, and weighted lists of them."""

from collections.abc import Sequence

from pymesh.control.model.messages import Destination
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.virtual_service import HTTPRouteDestination, RouteDestination

_LARGEST_TOTAL = 2**32 - 1  # Envoy: total weight is an uint32


def check_destination(destination: Destination | None, at: Scope) -> None:
    if destination is None:
        at.fail("is required")
        return
    at["host"].require(destination.host != "*", "must be a host, not '*'")
    syntax.check_host(destination.host, at["host"])
    if destination.subset:
        syntax.check_subset_name(destination.subset, at["subset"])
    if destination.port is not None:
        syntax.check_port(destination.port.number, at["port"]["number"])


def check_weights(routes: Sequence[HTTPRouteDestination | RouteDestination], at: Scope) -> None:
    """Weights are relative; one destination needs none."""
    for index, route in enumerate(routes):
        syntax.check_not_negative(route.weight, at[index]["weight"])
    total = sum(route.weight for route in routes)
    at.require(len(routes) <= 1 or total > 0, "the weights of several destinations must not all be 0")
    at.require(total <= _LARGEST_TOTAL, f"the weights must add up to {_LARGEST_TOTAL} at most")


def check_gateway_names(gateways: Sequence[str], at: Scope) -> None:
    """`mesh`, `name`, `./name`, `namespace/name`, or the older `name.namespace.svc...`."""
    for index, gateway in enumerate(gateways):
        namespace, slash, name = gateway.rpartition("/")
        if slash:
            at[index].require(namespace == "." or syntax.is_dns_label(namespace), f"{namespace!r} is not a namespace")
            syntax.check_dns_label(name, at[index])
        else:
            syntax.check_exact_host(gateway, at[index])
            name, dot, rest = gateway.partition(".")
            if dot:
                at[index].warn(f"is the older form; write {rest.partition('.')[0]}/{name}")
