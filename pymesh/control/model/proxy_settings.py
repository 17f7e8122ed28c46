"""ProxyConfig of MeshConfig (`defaultConfig`), which is another message than the kind of that name.

https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig
"""

from typing import Literal

from pymesh.control.model.destination_rule import ClientTLSSettings
from pymesh.control.model.messages import Message
from pymesh.control.model.telemetry import CustomTag

ForwardClientCertDetails = Literal[
    "UNDEFINED", "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"
]
MetadataExchangeMode = Literal["UNDEFINED", "IN_MESH"]


class ZipkinAddress(Message):
    address: str = ""
    """host:port of Zipkin."""


class Tracing(Message):
    """`sampling`: percent of the requests."""

    sampling: float = 1.0
    """Percent of the requests that are traced."""
    max_path_tag_length: int = 0
    """Longest path in a span."""
    custom_tags: dict[str, CustomTag] = {}
    """Tags of each span."""
    zipkin: ZipkinAddress | None = None
    """The older way to name Zipkin."""
    tls_settings: ClientTLSSettings | None = None
    """TLS to the receiver of traces."""
    enable_istio_tags: bool | None = None
    """Whether spans have the tags istio.*."""


class ProxyProtocolConfiguration(Message):
    """Nothing to set: its presence switches the PROXY protocol on."""


class Topology(Message):
    num_trusted_proxies: int = 0
    """Proxies in front of the gateway whose X-Forwarded-For is believed."""
    forward_client_cert_details: ForwardClientCertDetails = "UNDEFINED"
    """What becomes of X-Forwarded-Client-Cert at gateways."""
    proxy_protocol: ProxyProtocolConfiguration | None = None
    """Whether gateways read the PROXY protocol."""


class HeaderSwitch(Message):
    disabled: bool | None = None
    """Whether the header is left out."""


class ServerHeader(Message):
    disabled: bool | None = None
    """Whether `server` is left as the application says."""
    value: str = ""
    """Value of `server`; default istio-envoy."""


class SetCurrentClientCertDetails(Message):
    subject: bool | None = None
    """Whether the subject is told; default true."""
    cert: bool | None = None
    """Whether the certificate is told."""
    chain: bool | None = None
    """Whether the chain is told."""
    dns: bool | None = None
    """Whether DNS names are told; default true."""
    uri: bool | None = None
    """Whether URIs are told; default true."""


class MetadataExchangeHeaders(Message):
    mode: MetadataExchangeMode = "UNDEFINED"
    """IN_MESH: only to services of the mesh."""


class PreserveHttp1HeaderCase(Message):
    enabled: bool | None = None
    """Whether header names keep their case."""
    disabled: bool | None = None
    """Whether header names become lower case."""


class ProxyHeaders(Message):
    forwarded_client_cert: ForwardClientCertDetails = "UNDEFINED"
    """What becomes of X-Forwarded-Client-Cert at sidecars."""
    set_current_client_cert_details: SetCurrentClientCertDetails | None = None
    """What X-Forwarded-Client-Cert tells of the peer."""
    request_id: HeaderSwitch | None = None
    """X-Request-Id."""
    server: ServerHeader | None = None
    """Server."""
    attempt_count: HeaderSwitch | None = None
    """X-Envoy-Attempt-Count."""
    envoy_debug_headers: HeaderSwitch | None = None
    """The x-envoy-* headers that are for people who look for a fault."""
    metadata_exchange_headers: MetadataExchangeHeaders | None = None
    """X-Envoy-Peer-Metadata."""
    preserve_http1_header_case: PreserveHttp1HeaderCase | None = None
    """The case of header names in HTTP/1.1."""
    x_forwarded_host: HeaderSwitch | None = None
    """X-Forwarded-Host."""
    x_forwarded_port: HeaderSwitch | None = None
    """X-Forwarded-Port."""


class ProxySettings(Message):
    """What sidecars and gateways have in common."""

    tracing: Tracing = Tracing()
    """Traces."""
    gateway_topology: Topology | None = None
    """What stands in front of gateways."""
    proxy_headers: ProxyHeaders | None = None
    """Headers that proxies add."""
    termination_drain_duration: str = ""
    """How long a proxy that ends serves its connections; default 5s."""
    drain_duration: str = ""
    """How long connections of a listener that goes are served; default 45s."""
    concurrency: int | None = None
    """How many processes a proxy uses; 0 is one for each core."""
    discovery_address: str = ""
    """host:port of the control plane."""
    proxy_metadata: dict[str, str] = {}
    """Environment variables of the proxies, for custom tags of traces."""
    hold_application_until_proxy_starts: bool | None = None
    """Whether the application is started after its sidecar, as it is where the sidecar starts it."""
