"""Secret: keys and certificates of gateways and DestinationRules.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/
"""

from pymesh.control.model.messages import Message

TLS_TYPE = "kubernetes.io/tls"


class Secret(Message):
    """`data` is base64 on the wire and bytes here; `string_data` is merged into it when an object is decoded."""

    type: str = "Opaque"
    """kubernetes.io/tls for a certificate with its key."""
    data: dict[str, bytes] = {}
    """Values by key, in base64: tls.crt, tls.key, ca.crt."""
    string_data: dict[str, str] = {}
    """The same as text, when it is written."""
    immutable: bool | None = None
    """Whether it must not be changed."""
