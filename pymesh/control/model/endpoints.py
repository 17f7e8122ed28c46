"""Endpoints and EndpointSlice: addresses of a Service by hand.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from typing import Any, Literal

from pymesh.control.model.messages import Message
from pymesh.control.model.service import TransportProtocol

AddressType = Literal["IPv4", "IPv6", "FQDN"]


class EndpointAddress(Message):
    ip: str = ""
    """IP address."""
    hostname: str = ""
    """Host name of the endpoint."""
    node_name: str = ""
    """The machine that it runs on."""
    target_ref: dict[str, Any] = {}
    """The object that it stands for."""


class EndpointPort(Message):
    name: str = ""
    """Name of the Service's port."""
    port: int = 0
    """Port of the endpoint."""
    protocol: TransportProtocol = "TCP"
    """Transport protocol."""
    app_protocol: str = ""
    """Application protocol."""


class EndpointSubset(Message):
    addresses: tuple[EndpointAddress, ...] = ()
    """Addresses that are ready."""
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    """Addresses that get no traffic."""
    ports: tuple[EndpointPort, ...] = ()
    """Ports of each of the addresses."""


class Endpoints(Message):
    """Belongs to the Service of its name."""

    subsets: tuple[EndpointSubset, ...] = ()
    """Addresses and their ports."""


class EndpointConditions(Message):
    ready: bool | None = None
    """Whether it gets traffic; absent means yes."""
    serving: bool | None = None
    """Whether it answers, although it may be ending."""
    terminating: bool | None = None
    """Whether it is ending."""


class ForZone(Message):
    name: str = ""
    """Name of the zone."""


class EndpointHints(Message):
    for_zones: tuple[ForZone, ...] = ()
    """Zones that should use it."""


class Endpoint(Message):
    addresses: tuple[str, ...] = ()
    """Its addresses; the first one counts."""
    conditions: EndpointConditions = EndpointConditions()
    """Whether it gets traffic."""
    hostname: str = ""
    """Host name of the endpoint."""
    node_name: str = ""
    """The machine that it runs on."""
    zone: str = ""
    """The zone that it is in."""
    target_ref: dict[str, Any] = {}
    """The object that it stands for."""
    hints: EndpointHints | None = None
    """Who should use it."""
    deprecated_topology: dict[str, str] = {}
    """Labels of the machine."""


class EndpointSlice(Message):
    """Belongs to the Service that its label kubernetes.io/service-name names."""

    address_type: AddressType = "IPv4"
    """What the addresses are; required."""
    endpoints: tuple[Endpoint, ...] = ()
    """The endpoints."""
    ports: tuple[EndpointPort, ...] = ()
    """Ports of each of the endpoints."""
