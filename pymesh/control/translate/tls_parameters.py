"""Versions and ciphers of TLS, as rules and MeshConfig say. Istio: applyDownstreamTLSDefaults in core/listener.go."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.mesh_config import TLSConfig
from pymesh.control.model.validation.server_tls import is_cipher_suite

MINIMUM_VERSION = "TLSv1_2"
VERSIONS = {"TLSV1_2": "TLSv1_2", "TLSV1_3": "TLSv1_3"}


def build_tls_parameters(
    defaults: TLSConfig | None, min_version: str = "", max_version: str = "", cipher_suites: Iterable[str] = ()
) -> dict[str, Any]:
    """envoy.extensions.transport_sockets.tls.v3.TlsParameters; what a rule says goes before the `defaults`."""
    defaults = defaults or TLSConfig()
    lowest = VERSIONS.get(min_version) or VERSIONS.get(defaults.min_protocol_version) or MINIMUM_VERSION
    parameters: dict[str, Any] = {"tls_minimum_protocol_version": lowest}
    if max_version in VERSIONS:
        parameters["tls_maximum_protocol_version"] = VERSIONS[max_version]
    suites = used_cipher_suites(cipher_suites) or used_cipher_suites(defaults.cipher_suites)
    return parameters | ({"cipher_suites": suites} if suites else {})


def used_cipher_suites(names: Iterable[str]) -> list[str]:
    """Once each, without those that nobody knows. Istio: FilterCipherSuites in pkg/config/security."""
    return [name for name in dict.fromkeys(names) if is_cipher_suite(name)]
