"""Rules of a Secret: certificates that parse, and keys that belong to them."""

from types import ModuleType

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.secret import TLS_TYPE, Secret
from pymesh.control.model.validation import syntax

_LARGEST = 1024 * 1024
# What Istio's gateways read, by the type of the Secret: certificate and key.
_PAIRS = {TLS_TYPE: ("tls.crt", "tls.key")}
_GENERIC_PAIR = ("cert", "key")
_CA_KEYS = ("ca.crt", "cacert")


def check_secret(spec: Secret, metadata: Metadata, at: Scope) -> None:
    at = at["data"]
    for key in spec.data:
        syntax.check_data_key(key, at[key])
    at.require(sum(map(len, spec.data.values())) <= _LARGEST, f"must not be larger than {_LARGEST} bytes")
    pair = _PAIRS.get(spec.type, _GENERIC_PAIR)
    if spec.type == TLS_TYPE:
        for key in pair:
            at[key].require(key in spec.data, f"is required in a Secret of type {TLS_TYPE}")
    if all(key in spec.data for key in pair):
        _certificates().check_pair(spec.data, *pair, at)
    for key in _CA_KEYS:
        if key in spec.data:
            _certificates().load_certificate(spec.data[key], at[key])


def _certificates() -> ModuleType:
    """Loaded for the first certificate only: a mesh without any should not wait for `cryptography`."""
    from pymesh.control.model.validation import certificates

    return certificates
