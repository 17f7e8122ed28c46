"""Clusters: outbound ones of services and subsets, the inbound one of the application, and the passthrough."""

from typing import Any

from pymesh.control.snapshot.mesh_service import Resolution
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import CONFIG_SOURCE, duration, socket_address
from pymesh.control.translate.connection_pool import build_connection_pool
from pymesh.control.translate.endpoints import build_load_assignment, inline_assignment
from pymesh.control.translate.inbound_ports import InboundPort
from pymesh.control.translate.load_balancer import build_load_balancer
from pymesh.control.translate.locality import locality_lb_of
from pymesh.control.translate.outbound_cluster import EndpointSource, OutboundCluster, UpstreamTls
from pymesh.control.translate.outlier_detection import build_outlier_detection
from pymesh.control.translate.tls import build_client, build_mesh_client, raw_socket, tls_socket
from pymesh.control.translate.trust_domains import in_all_trust_domains
from pymesh.control.translate.type_urls import (
    DYNAMIC_FORWARD_PROXY_CLUSTER,
    FORWARD_PROXY_CLUSTER,
    HTTP_PROTOCOL_OPTIONS,
    HTTP_PROTOCOL_OPTIONS_KEY,
)
from pymesh.control.translate.upstream_protocol import (
    UpstreamProtocol,
    add_protocol,
    inbound_protocol,
    outbound_protocol,
)
from pymesh.names import (
    BLACK_HOLE_CLUSTER,
    HTTP2_ALPN,
    INBOUND_PASSTHROUGH_CLUSTER,
    ISTIO_METADATA,
    PASSTHROUGH_CLUSTER,
    TLS_MODE,
)
from pymesh.xds import CLUSTER, Resource

# One cache of DNS answers for every dynamic forward proxy of a process; filter and clusters must agree on all of it.
DNS_CACHE: dict[str, Any] = {"name": "dynamic_forward_proxy_cache", "dns_lookup_family": "V4_PREFERRED"}

_DNS_REFRESH = "60s"


def build_outbound_cluster(cluster: OutboundCluster, view: ProxyView) -> Resource:
    policy = cluster.policy
    resource: Resource = {"@type": CLUSTER, "name": cluster.name}
    resource |= _discovery(cluster, view)
    resource |= build_connection_pool(policy.connection_pool, view.mesh, policy.retry_budget)
    if cluster.source is EndpointSource.ENDPOINTS:
        resource |= build_load_balancer(policy.load_balancer)
    resource |= build_outlier_detection(policy.outlier_detection)
    if cluster.source is EndpointSource.ENDPOINTS and locality_lb_of(cluster, view).is_weighted:
        resource.setdefault("common_lb_config", {})["locality_weighted_lb_config"] = {}
    pool = policy.connection_pool
    protocol = outbound_protocol(cluster.port.protocol, pool, view.mesh.h2_upgrade_policy, not view.is_gateway)
    _add_tls(resource, cluster, view, protocol is UpstreamProtocol.HTTP2)
    add_protocol(resource, protocol, pool)
    resource["metadata"] = _metadata(cluster)
    return resource


def build_inbound_cluster(view: ProxyView, port: InboundPort) -> Resource:
    """The application itself. Its metadata names the service, so that inbound metrics can."""
    resource: Resource = {"@type": CLUSTER, "name": port.cluster, "type": "STATIC"}
    resource["load_assignment"] = _single(port.cluster, port.endpoint, port.endpoint_port)
    service = view.own_service
    resource |= build_connection_pool(port.pool, view.mesh)
    add_protocol(resource, inbound_protocol(port.protocol, port.pool), port.pool)
    if service is not None:
        resource["metadata"] = _service_metadata(service.host, service.name, service.namespace)
    return resource


def build_passthrough_cluster(view: ProxyView) -> Resource:
    """Where the request itself says, or was going: what ALLOW_ANY does with hosts that nobody declared."""
    resource: Resource = {"@type": CLUSTER, "name": PASSTHROUGH_CLUSTER}
    resource |= _original_destination() if view.is_redirected else _forward_proxy()
    resource |= build_connection_pool(None, view.mesh)
    add_protocol(resource, UpstreamProtocol.DOWNSTREAM, None)
    return resource


def build_inbound_passthrough_cluster(view: ProxyView) -> Resource:
    """Ports of the workload that nobody declared."""
    resource: Resource = {"@type": CLUSTER, "name": INBOUND_PASSTHROUGH_CLUSTER, **_original_destination()}
    resource |= build_connection_pool(None, view.mesh)
    add_protocol(resource, UpstreamProtocol.DOWNSTREAM, None)
    return resource


def build_black_hole_cluster(view: ProxyView) -> Resource:
    """No endpoint, so connections to it end at once."""
    resource: Resource = {"@type": CLUSTER, "name": BLACK_HOLE_CLUSTER, "type": "STATIC"}
    return resource | build_connection_pool(None, view.mesh)


def _discovery(cluster: OutboundCluster, view: ProxyView) -> dict[str, Any]:
    match cluster.source:
        case EndpointSource.ORIGINAL_DST:
            return _original_destination()
        case EndpointSource.REQUEST:
            return _forward_proxy()
    if cluster.service.resolution is Resolution.STATIC:
        return {"type": "EDS", "eds_cluster_config": {"eds_config": CONFIG_SOURCE, "service_name": cluster.name}}
    # Istio: of names it knows no labels, so failoverPriority does not apply.
    locality_lb = locality_lb_of(cluster, view).without_labels()
    assignment = build_load_assignment(cluster.name, cluster.endpoints, allows_mtls(cluster), locality_lb)
    return {
        "type": "LOGICAL_DNS" if cluster.service.resolution is Resolution.DNS_ROUND_ROBIN else "STRICT_DNS",
        "dns_lookup_family": DNS_CACHE["dns_lookup_family"],
        "dns_refresh_rate": duration(view.mesh.dns_refresh_rate) if view.mesh.dns_refresh_rate else _DNS_REFRESH,
        "respect_dns_ttl": True,
        "load_assignment": inline_assignment(assignment),
    }


def allows_mtls(cluster: OutboundCluster) -> bool:
    return cluster.tls in (UpstreamTls.AUTO, UpstreamTls.ISTIO_MUTUAL)


def _forward_proxy() -> dict[str, Any]:
    """Envoy wants to verify the name of every host with TLS of the request's name, or to be told that it need not."""
    config = {
        "@type": DYNAMIC_FORWARD_PROXY_CLUSTER,
        "dns_cache_config": DNS_CACHE,
        "allow_insecure_cluster_options": True,
    }
    cluster_type = {"name": FORWARD_PROXY_CLUSTER, "typed_config": config}
    return {"lb_policy": "CLUSTER_PROVIDED", "cluster_type": cluster_type}


def _original_destination() -> dict[str, Any]:
    return {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"}


def _add_tls(resource: Resource, cluster: OutboundCluster, view: ProxyView, is_http2: bool) -> None:
    if cluster.tls is UpstreamTls.EXTERNAL:
        _add_external_tls(resource, cluster, view, is_http2)
        return
    if cluster.tls is UpstreamTls.NONE:
        return
    settings = cluster.policy.tls
    identities = (settings.subject_alt_names if settings is not None else ()) or (
        *in_all_trust_domains(cluster.service.service_accounts, view.mesh),
        *cluster.service.subject_alt_names,
    )
    sni = (settings.sni if settings is not None else "") or cluster.sni
    socket = tls_socket(build_mesh_client(sni, identities, is_http2, view.mesh.mesh_mtls))
    if cluster.tls is UpstreamTls.ISTIO_MUTUAL:
        resource["transport_socket"] = socket
    else:
        resource["transport_socket_matches"] = [
            {"name": "tlsMode-istio", "match": {TLS_MODE: "istio"}, "transport_socket": socket},
            {"name": "tlsMode-disabled", "match": {}, "transport_socket": raw_socket()},
        ]


def _add_external_tls(resource: Resource, cluster: OutboundCluster, view: ProxyView, is_http2: bool) -> None:
    settings = cluster.policy.tls
    assert settings is not None
    sans = cluster.service.subject_alt_names
    context = build_client(settings, sans, view.has_certificate, cluster.obeys_credentials, view.mesh.tls_defaults)
    if is_http2:
        context["common_tls_context"]["alpn_protocols"] = [HTTP2_ALPN]
    resource["transport_socket"] = tls_socket(context)
    if not settings.sni:
        _add_auto_sni(resource, verifies=not (settings.subject_alt_names or sans or settings.insecure_skip_verify))


def _add_auto_sni(resource: Resource, verifies: bool) -> None:
    """SNI, and the name that the certificate must have, are the request's host."""
    options = resource.setdefault("typed_extension_protocol_options", {}).setdefault(
        HTTP_PROTOCOL_OPTIONS_KEY,
        {"@type": HTTP_PROTOCOL_OPTIONS, "explicit_http_config": {"http_protocol_options": {}}},
    )
    options["upstream_http_protocol_options"] = {"auto_sni": True, "auto_san_validation": verifies}


def _metadata(cluster: OutboundCluster) -> dict[str, Any]:
    service = cluster.service
    metadata = _service_metadata(service.host, service.name, service.namespace)
    if cluster.subset:
        metadata["filter_metadata"][ISTIO_METADATA]["subset"] = cluster.subset
    return metadata


def _service_metadata(host: str, name: str, namespace: str) -> dict[str, Any]:
    services = [{"host": host, "name": name, "namespace": namespace}]
    return {"filter_metadata": {ISTIO_METADATA: {"services": services}}}


def _single(cluster: str, host: str, port: int) -> dict[str, Any]:
    return {
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(host, port)}}]}],
    }
