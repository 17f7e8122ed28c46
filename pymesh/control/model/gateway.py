"""Gateway: the ports that a gateway opens, their hosts and their TLS.

https://istio.io/latest/docs/reference/config/networking/gateway/
"""

from typing import Literal

from pymesh.control.model.messages import Message

ServerTLSMode = Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]
TLSProtocol = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class Port(Message):
    number: int = 0
    """The port."""
    protocol: str = ""
    """HTTP, HTTPS, TCP, TLS, and so on."""
    name: str = ""
    """A name for the port."""
    target_port: int = 0
    """Means nothing any more."""


class TLSCertificate(Message):
    server_certificate: str = ""
    """File of the certificate."""
    private_key: str = ""
    """File of its key."""
    ca_certificates: str = ""
    """File of the authorities that callers' certificates may be from."""


class ServerTLSSettings(Message):
    """The certificate is a Secret in the gateway's namespace (`credential_name`) or files on the gateway's machine."""

    https_redirect: bool = False
    """Answer plain requests with a redirect to https."""
    mode: ServerTLSMode = "PASSTHROUGH"
    """SIMPLE, MUTUAL with certificates of callers, ISTIO_MUTUAL with those of the mesh, or PASSTHROUGH."""
    server_certificate: str = ""
    """File of the certificate."""
    private_key: str = ""
    """File of its key."""
    ca_certificates: str = ""
    """File of the authorities that callers' certificates may be from."""
    ca_crl: str = ""
    """File of revoked certificates."""
    credential_name: str = ""
    """Secret with certificate and key, and for MUTUAL the authorities."""
    credential_names: tuple[str, ...] = ()
    """Several Secrets, for keys of several kinds."""
    ca_cert_credential_name: str = ""
    """Secret with the authorities alone."""
    tls_certificates: tuple[TLSCertificate, ...] = ()
    """Several certificates from files."""
    subject_alt_names: tuple[str, ...] = ()
    """Names of which a caller's certificate must have one."""
    verify_certificate_spki: tuple[str, ...] = ()
    """Hashes of public keys, of which a caller's must be one."""
    verify_certificate_hash: tuple[str, ...] = ()
    """Hashes of certificates, of which a caller's must be one."""
    min_protocol_version: TLSProtocol = "TLS_AUTO"
    """The oldest version of TLS."""
    max_protocol_version: TLSProtocol = "TLS_AUTO"
    """The newest version of TLS."""
    cipher_suites: tuple[str, ...] = ()
    """Ciphers up to TLS 1.2."""
    insecure_skip_verify: bool | None = None
    """Whether callers' certificates are taken unseen."""


class Server(Message):
    """Hosts are `[namespace/]dns name`, `.` is the Gateway's own namespace and `*` any."""

    port: Port | None = None
    """The port and what is spoken there."""
    bind: str = ""
    """The address to listen at; all of them by default."""
    hosts: tuple[str, ...] = ()
    """Hosts that are served, as namespace/name; the namespace is that of the VirtualServices, * by default."""
    tls: ServerTLSSettings | None = None
    """How connections are encrypted, or that plain ones are sent to https."""
    default_endpoint: str = ""
    """Where connections go that no rule takes."""
    name: str = ""
    """Stands in statistics; unique in the Gateway."""


class Gateway(Message):
    """`selector`: labels of the gateways, of all namespaces, that obey it; empty selects all."""

    servers: tuple[Server, ...] = ()
    """Ports that are opened."""
    selector: dict[str, str] = {}
    """Labels of the gateways that obey this object."""
