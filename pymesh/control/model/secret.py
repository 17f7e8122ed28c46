"""Secret: keys and certificates of gateways and DestinationRules.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/
"""

from pymesh.control.model.messages import Message

TLS_TYPE = "kubernetes.io/tls"


class Secret(Message):
    """`data` is base64 on the wire and bytes here; `string_data` is merged into it when an object is decoded."""

    type: str = "Opaque"
    data: dict[str, bytes] = {}
    string_data: dict[str, str] = {}
    immutable: bool | None = None
