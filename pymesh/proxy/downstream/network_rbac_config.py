"""envoy.extensions.filters.network.rbac.v3.RBAC, decoded.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/rbac_filter
"""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.rbac_engine.decoder import decode_rbac
from pymesh.proxy.rbac_engine.rule import Rbac

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"


@dataclass(frozen=True, slots=True)
class NetworkRbacConfig:
    """Without rules every connection goes on. Shadow rules deny nothing: their verdict goes into dynamic metadata."""

    rules: Rbac | None = None
    shadow_rules: Rbac | None = None
    shadow_prefix: str = ""


def decode_network_rbac(reader: Reader) -> NetworkRbacConfig:
    reader.ignore("@type", "stat_prefix", "enforcement_type")
    rules, shadow = reader.object("rules"), reader.object("shadow_rules")
    return NetworkRbacConfig(
        decode_rbac(rules) if rules is not None else None,
        decode_rbac(shadow) if shadow is not None else None,
        reader.string("shadow_rules_stat_prefix"),
    )
