"""Secret -> SecretConfig. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/secret.proto
"""

from pymesh.protojson import Reader
from pymesh.proxy.tls.certificates import SecretConfig
from pymesh.proxy.tls.config import decode_certificate, decode_validation


def decode_secret(reader: Reader) -> SecretConfig:
    """Certificate and key are checked to be usable, so that a bad one is rejected and the last good one stays."""
    reader.ignore("@type")
    name = reader.required_string("name")
    match reader.oneof("tls_certificate", "validation_context"):
        case "tls_certificate":
            certificate = decode_certificate(reader.required_object("tls_certificate"))
            return SecretConfig(name, tls_certificate=certificate)
        case "validation_context":
            validation = decode_validation(reader.required_object("validation_context"))
            return SecretConfig(name, validation=validation)
        case _:
            return reader.fail("tls_certificate", "is required, or validation_context")
