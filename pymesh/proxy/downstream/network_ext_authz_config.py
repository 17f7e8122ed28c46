"""envoy.extensions.filters.network.ext_authz.v3.ExtAuthz, decoded.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/ext_authz_filter
"""

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig, decode_grpc_service
from pymesh.proxy.matchers.metadata_matcher import decode_metadata_matcher

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.network.ext_authz.v3.ExtAuthz"


def decode_network_ext_authz(reader: Reader) -> ExtAuthzConfig:
    reader.ignore("@type", "stat_prefix", "transport_api_version")
    enabled = reader.object("filter_enabled_metadata")
    return ExtAuthzConfig(
        **decode_grpc_service(reader.required_object("grpc_service")),
        allows_on_failure=reader.boolean("failure_mode_allow"),
        enabled=decode_metadata_matcher(enabled) if enabled is not None else None,
    )
