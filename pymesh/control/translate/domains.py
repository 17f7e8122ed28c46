"""The names under which clients reach a service: the domains of its virtual host."""

from pymesh.control.model.validation.syntax import is_ip_address
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.names import DEFAULT_DOMAIN

_HTTP_PORT = 80


def host_names(host: str, namespace: str) -> list[str]:
    """All spellings of a host for clients of `namespace`: also as an absolute name, with a dot at the end.

    A mesh FQDN may be cut short, to its bare name inside its own namespace only. Istio: GenerateAltVirtualHosts.
    """
    if host == "*" or is_ip_address(host):
        return [host]
    suffix = f".svc.{DEFAULT_DOMAIN}"
    name, _, owner = host.removesuffix(suffix).partition(".")
    absolute = [host, f"{host}."]
    if not host.endswith(suffix) or not owner or "." in owner or host.startswith("*"):
        return absolute
    names = [*absolute, f"{name}.{owner}", f"{name}.{owner}.svc"]
    return [*names, name] if owner == namespace else names


def with_port(names: list[str], port: int) -> list[str]:
    return [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in names]


def portless_port(service: MeshService, is_strict: bool = False) -> MeshPort | None:
    """The port that a Host without one means: 80 if the service has it, or else its first HTTP port, unless this
    `is_strict`."""
    ports = [port for port in service.ports if port.protocol.is_http]
    first = ports[0] if ports and not is_strict else None
    return next((port for port in ports if port.number == _HTTP_PORT), first)


def service_names(service: MeshService, namespace: str) -> list[str]:
    return [*host_names(service.host, namespace), *service.addresses]


def bare_domains(names: list[str]) -> list[str]:
    return [f"[{name}]" if ":" in name else name for name in names]
