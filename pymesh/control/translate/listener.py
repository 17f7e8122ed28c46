"""What all listeners have, whatever their direction."""

from typing import Any

from pymesh.control.translate.config_source import socket_address
from pymesh.xds import LISTENER, Address, Resource


def build_listener(name: str, address: Address, direction: str, **fields: Any) -> Resource:
    return {
        "@type": LISTENER,
        "name": name,
        "address": socket_address(address.host, address.port),
        "traffic_direction": direction,
        **fields,
    }
