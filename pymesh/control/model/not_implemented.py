"""What Istio's API has and pymesh does not obey: refused when it is applied, never silently ignored.

One table a kind; whoever makes a field work takes it out here. `[]` stands for any element of a list. With `values`,
only those are refused.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pymesh.control.model.scope import Scope


class Unsupported(NamedTuple):
    """`prefix`: only texts that begin so."""

    path: str
    values: tuple[Any, ...] = ()
    prefix: str = ""


_UNIX_SOCKET = "unix://"


def _policies(*fields: Unsupported, has_ports: bool = True) -> tuple[Unsupported, ...]:
    """The same fields wherever a traffic policy can stand; `has_ports`: in that of a port, too."""
    of_rule = ("trafficPolicy", "trafficPolicy.portLevelSettings[]") if has_ports else ("trafficPolicy",)
    places = (*of_rule, *(f"subsets[].{place}" for place in of_rule))
    return tuple(Unsupported(f"{place}.{field.path}", field.values) for place in places for field in fields)


_TARGETS = (Unsupported("targetRef"), Unsupported("targetRefs"))

NOT_IMPLEMENTED: dict[str, tuple[Unsupported, ...]] = {
    "VirtualService": (
        Unsupported("http[].fault.delay.exponentialDelay"),
        Unsupported("http[].fault.abort.http2Error"),
        Unsupported("tcp[].match[].sourceSubnet"),
    ),
    "DestinationRule": (
        *_policies(
            Unsupported("loadBalancer.zoneAwareLbSetting"),
            Unsupported("outlierDetection.outlierDetectionHttpErrorCodes"),
            Unsupported("tls.caCrl"),
        ),
        *_policies(Unsupported("tunnel"), Unsupported("proxyProtocol"), has_ports=False),
    ),
    "Gateway": (
        Unsupported("servers[].defaultEndpoint"),
        Unsupported("servers[].bind", prefix=_UNIX_SOCKET),
        Unsupported("servers[].port.protocol", ("UDP",)),
        Unsupported("servers[].tls.mode", ("AUTO_PASSTHROUGH",)),
        Unsupported("servers[].tls.minProtocolVersion", ("TLSV1_0", "TLSV1_1")),
        Unsupported("servers[].tls.maxProtocolVersion", ("TLSV1_0", "TLSV1_1")),
        Unsupported("servers[].tls.cipherSuites[]", ("DES-CBC3-SHA",)),
        Unsupported("servers[].tls.insecureSkipVerify"),
    ),
    "ServiceEntry": (
        Unsupported("resolution", ("DYNAMIC_DNS",)),
        Unsupported("ports[].protocol", ("UDP",)),
        Unsupported("endpoints[].network"),
    ),
    "WorkloadEntry": (Unsupported("network"),),
    "WorkloadGroup": (Unsupported("template.network"),),
    "Sidecar": (Unsupported("ingress[].tls"),),
    "ProxyConfig": (Unsupported("image"),),
    "EnvoyFilter": (),
    "RequestAuthentication": _TARGETS,
    "AuthorizationPolicy": _TARGETS,
    "Telemetry": (
        *_TARGETS,
        Unsupported("metrics[].providers[].name", ("STACKDRIVER",)),
    ),
    "WasmPlugin": (),
    "Endpoints": (Unsupported("subsets[].ports[].protocol", ("UDP", "SCTP")),),
    "EndpointSlice": (Unsupported("ports[].protocol", ("UDP", "SCTP")),),
    "ConfigMap": (Unsupported("immutable", (True,)),),
    "Namespace": (),
    "ServiceAccount": (),
    "PeerAuthentication": (),
    "Service": (
        Unsupported("type", ("ExternalName",)),
        Unsupported("externalName"),
        Unsupported("publishNotReadyAddresses", (True,)),
        Unsupported("ports[].protocol", ("UDP", "SCTP")),
    ),
    "Secret": (Unsupported("immutable", (True,)),),
    "MeshConfig": (
        Unsupported("defaultTrafficPolicy.outlierDetection.outlierDetectionHttpErrorCodes"),
        Unsupported("meshMTLS.minProtocolVersion", ("TLSV1_0", "TLSV1_1")),
        Unsupported("tlsDefaults.minProtocolVersion", ("TLSV1_0", "TLSV1_1")),
        Unsupported("tlsDefaults.ecdhCurves"),
        Unsupported("extensionProviders[].envoyExtAuthzHttp.includeRequestBodyInCheck"),
        Unsupported("extensionProviders[].envoyExtAuthzGrpc.includeRequestBodyInCheck"),
        Unsupported("extensionProviders[].opentelemetry.resourceDetectors.dynatrace", ({},)),
        Unsupported("extensionProviders[].opentelemetry.dynatraceSampler"),
        Unsupported("extensionProviders[].opentelemetry.serviceAttributeEnrichment"),
        Unsupported("extensionProviders[].lightstep"),
        Unsupported("extensionProviders[].datadog"),
        Unsupported("extensionProviders[].stackdriver"),
        Unsupported("extensionProviders[].opencensus"),
        Unsupported("extensionProviders[].skywalking"),
        Unsupported("extensionProviders[].envoyHttpAls"),
        Unsupported("extensionProviders[].envoyTcpAls"),
        Unsupported("extensionProviders[].envoyOtelAls"),
        Unsupported("extensionProviders[].sds"),
        Unsupported("defaultProviders.metrics[]", ("STACKDRIVER",)),
        Unsupported("enablePrometheusMerge", (False,)),
        Unsupported("discoverySelectors"),
        Unsupported("serviceSettings"),
        Unsupported("defaultConfig.tracing.tlsSettings"),
        Unsupported("defaultConfig.gatewayTopology.proxyProtocol"),
        Unsupported("defaultConfig.proxyHeaders.setCurrentClientCertDetails.chain", (True,)),
        Unsupported("defaultConfig.proxyHeaders.preserveHttp1HeaderCase"),
        Unsupported("defaultConfig.proxyHeaders.xForwardedHost"),
        Unsupported("defaultConfig.proxyHeaders.xForwardedPort"),
        Unsupported("defaultConfig.drainDuration"),
        Unsupported("defaultConfig.concurrency"),
        Unsupported("defaultConfig.discoveryAddress"),
    ),
}


def check_implemented(kind: str, fields: Any, at: Scope) -> None:
    """Note what of a spec, as it was written, the mesh would not obey."""
    for unsupported in NOT_IMPLEMENTED[kind]:
        for value, place in _find(fields, unsupported.path.split("."), at):
            if _is_refused(value, unsupported):
                shown = f" {value}" if unsupported.values or unsupported.prefix else ""
                place.fail(f"pymesh does not implement {place.path}{shown}")


def _is_refused(value: Any, unsupported: Unsupported) -> bool:
    if unsupported.prefix:
        return isinstance(value, str) and value.startswith(unsupported.prefix)
    if not unsupported.values:
        return value not in (None, {}, [], "")
    return any(value == one or (isinstance(value, str) and value.upper() == one) for one in unsupported.values)


def _find(value: Any, steps: list[str], at: Scope) -> Iterator[tuple[Any, Scope]]:
    """Every value at the path, and where it stands."""
    if not steps:
        yield value, at
        return
    name = steps[0].removesuffix("[]")
    child = value.get(name) if isinstance(value, dict) else None
    if name == steps[0]:
        if child is not None:
            yield from _find(child, steps[1:], at[name])
    elif isinstance(child, list):
        for index, item in enumerate(child):
            yield from _find(item, steps[1:], at[name][index])
