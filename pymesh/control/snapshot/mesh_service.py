"""MeshService: what a Service and a host of a ServiceEntry have in common, with the endpoints of each port."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from pymesh.control.snapshot.creation_order import CreationOrder
from pymesh.control.snapshot.instance import Instance
from pymesh.control.snapshot.protocol import Protocol
from pymesh.control.snapshot.visibility import Visibility


class Resolution(StrEnum):
    """How a proxy finds the endpoints. NONE: at the address that the request itself names.

    DNS: all addresses of the names; DNS_ROUND_ROBIN: of the one name, the first address at the time of each connection.
    """

    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    NONE = "NONE"


class MeshPort(NamedTuple):
    """`target` is the workload's port by number, by a name in its `ports`, or None: the same number."""

    name: str
    number: int
    protocol: Protocol
    target: int | str | None = None


class Endpoint(NamedTuple):
    """One instance at the port where it serves one port of one service. `is_mtls`: its sidecar takes mTLS there."""

    address: str
    port: int
    instance: Instance
    is_mtls: bool


@dataclass(frozen=True, slots=True, eq=False)
class MeshService:
    """`endpoints` has the healthy ones by port number; `service_accounts` are SPIFFE URIs of the workloads behind it.

    `addresses` are virtual IPs by which clients may know it, besides `host`; `subnets` are the same by range
    (`10.0.0.0/8`). `is_headless`: clients know it by its endpoints' own addresses. `is_unresolved`: a
    ServiceEntry of resolution NONE. `selector` finds its workloads; empty:
    they registered under its name. `is_automatic`: the registry declared it, and not a user. `preferred_labels`: the
    more of them an endpoint shares with a client, from the first on, the sooner its turn.
    """

    host: str
    name: str
    namespace: str
    ports: tuple[MeshPort, ...]
    resolution: Resolution
    is_external: bool
    is_kubernetes: bool
    visibility: Visibility
    order: CreationOrder
    endpoints: dict[int, tuple[Endpoint, ...]]
    service_accounts: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    is_headless: bool = False
    is_unresolved: bool = False
    selector: dict[str, str] = field(default_factory=dict)
    is_automatic: bool = False
    preferred_labels: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<MeshService {self.host} ports={[port.number for port in self.ports]}>"

    def port(self, number: int) -> MeshPort | None:
        return next((port for port in self.ports if port.number == number), None)

    @property
    def keeps_destination(self) -> bool:
        """Whether redirected traffic goes on to where it was going: Istio's resolution Passthrough."""
        return self.is_headless or self.is_unresolved

    @property
    def is_wildcard(self) -> bool:
        return self.host.startswith("*")
