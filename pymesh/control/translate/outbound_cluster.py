"""OutboundCluster: one port of one service, or a subset of it, with the policy and the TLS that hold for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pymesh.control.model.destination_rule import TrafficPolicy
from pymesh.control.snapshot.destination_rules import MergedDestinationRule
from pymesh.control.snapshot.mesh_service import Endpoint, MeshPort, MeshService, Resolution
from pymesh.control.snapshot.protocol import Protocol
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.traffic_policy import effective_policy, with_mesh_defaults
from pymesh.names import cluster_sni, outbound_cluster


class UpstreamTls(StrEnum):
    """AUTO: mTLS with the endpoints that take it, plaintext with the others."""

    NONE = "NONE"
    AUTO = "AUTO"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    EXTERNAL = "EXTERNAL"  # SIMPLE or MUTUAL, as the policy says


class EndpointSource(StrEnum):
    """REQUEST: the name or address that the request names. ORIGINAL_DST: where the client's connection was going."""

    ENDPOINTS = "ENDPOINTS"
    REQUEST = "REQUEST"
    ORIGINAL_DST = "ORIGINAL_DST"


@dataclass(frozen=True, slots=True, eq=False)
class OutboundCluster:
    """`obeys_credentials`: the proxy gets the Secrets that the policy names. Gateways do, and sidecars that a rule
    chooses by their labels."""

    service: MeshService
    port: MeshPort
    subset: str
    labels: dict[str, str]
    policy: TrafficPolicy
    tls: UpstreamTls
    source: EndpointSource
    obeys_credentials: bool = False

    @property
    def name(self) -> str:
        return outbound_cluster(self.service.host, self.port.number, self.subset)

    @property
    def sni(self) -> str:
        return cluster_sni(self.service.host, self.port.number, self.subset)

    @property
    def endpoints(self) -> list[Endpoint]:
        found = self.service.endpoints.get(self.port.number, ())
        return [endpoint for endpoint in found if self.labels.items() <= endpoint.instance.labels.items()]


def outbound_clusters(view: ProxyView) -> Iterator[OutboundCluster]:
    """Every port and subset of every service that the proxy sees."""
    for service in view.services.values():
        rule = view.destination_rule(service)
        for port in service.ports:
            if port.protocol is not Protocol.UDP:
                yield from _clusters_of(view, service, port, rule)


def _clusters_of(
    view: ProxyView, service: MeshService, port: MeshPort, rule: MergedDestinationRule | None
) -> Iterator[OutboundCluster]:
    yield _cluster(view, service, port, rule, "", {})
    for subset in rule.subsets if rule is not None else ():
        yield _cluster(view, service, port, rule, subset.name, subset.labels)


def _cluster(
    view: ProxyView,
    service: MeshService,
    port: MeshPort,
    rule: MergedDestinationRule | None,
    subset: str,
    labels: dict[str, str],
) -> OutboundCluster:
    policy = with_mesh_defaults(effective_policy(rule, port.number, subset), view.mesh)
    source = _source(view, service, policy)
    tls = _tls(view, service, policy)
    if tls is UpstreamTls.AUTO and source is EndpointSource.ORIGINAL_DST:
        # There is no endpoint whose metadata could tell, so all of them must agree.
        # Istio: BestEffortInferServiceMTLSMode in pilot/pkg/model/push_context.go.
        found = service.endpoints.get(port.number, ())
        tls = UpstreamTls.ISTIO_MUTUAL if found and all(item.is_mtls for item in found) else UpstreamTls.NONE
    obeys_credentials = view.is_gateway or (rule is not None and bool(rule.selector))
    return OutboundCluster(service, port, subset, labels, policy, tls, source, obeys_credentials)


def _source(view: ProxyView, service: MeshService, policy: TrafficPolicy) -> EndpointSource:
    """A gateway knows of no destination but its own address."""
    balancer = policy.load_balancer
    passes_through = balancer is not None and balancer.simple == "PASSTHROUGH"
    if view.is_redirected:
        keeps = service.keeps_destination or passes_through
        return EndpointSource.ORIGINAL_DST if keeps else EndpointSource.ENDPOINTS
    is_asked_for = service.resolution is Resolution.NONE or (passes_through and not view.is_gateway)
    return EndpointSource.REQUEST if is_asked_for else EndpointSource.ENDPOINTS


def _tls(view: ProxyView, service: MeshService, policy: TrafficPolicy) -> UpstreamTls:
    """A `tls` block always wins. Auto mTLS is for services of the mesh whose namespace does not forbid it."""
    if policy.tls is not None:
        if policy.tls.mode == "ISTIO_MUTUAL":
            return UpstreamTls.ISTIO_MUTUAL if view.has_certificate else UpstreamTls.NONE
        return UpstreamTls.NONE if policy.tls.mode == "DISABLE" else UpstreamTls.EXTERNAL
    mode = view.snapshot.peer_authentications.namespace_mode(service.namespace)
    is_auto = view.mesh.enable_auto_mtls and not service.is_external and mode != "DISABLE"
    return UpstreamTls.AUTO if is_auto and view.has_certificate else UpstreamTls.NONE
