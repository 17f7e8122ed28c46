"""Gateway: the ports that a gateway opens, their hosts and their TLS.

https://istio.io/latest/docs/reference/config/networking/gateway/
"""

from typing import Literal

from pymesh.control.model.messages import Message

ServerTLSMode = Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]
TLSProtocol = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class Port(Message):
    number: int = 0
    protocol: str = ""
    name: str = ""
    target_port: int = 0


class TLSCertificate(Message):
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""


class ServerTLSSettings(Message):
    """The certificate is a Secret in the gateway's namespace (`credential_name`) or files on the gateway's machine."""

    https_redirect: bool = False
    mode: ServerTLSMode = "PASSTHROUGH"
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    credential_names: tuple[str, ...] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: tuple[TLSCertificate, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TLSProtocol = "TLS_AUTO"
    max_protocol_version: TLSProtocol = "TLS_AUTO"
    cipher_suites: tuple[str, ...] = ()
    insecure_skip_verify: bool | None = None


class Server(Message):
    """Hosts are `[namespace/]dns name`, `.` is the Gateway's own namespace and `*` any."""

    port: Port | None = None
    bind: str = ""
    hosts: tuple[str, ...] = ()
    tls: ServerTLSSettings | None = None
    default_endpoint: str = ""
    name: str = ""


class Gateway(Message):
    """`selector`: labels of the gateways, of all namespaces, that obey it; empty selects all."""

    servers: tuple[Server, ...] = ()
    selector: dict[str, str] = {}
