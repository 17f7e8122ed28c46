"""Fields of MeshConfig that hold where no rule says otherwise, in clusters and listeners."""

import pytest

from pymesh.control.translate.build import build
from pymesh.xds import CLUSTER, LISTENER, Address

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: away}
spec:
  hosts: [away.example.com]
  resolution: DNS
  ports: [{name: https, number: 443, protocol: HTTPS}]
"""
RULE = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s}
spec: {host: %s, trafficPolicy: {%s}}
"""


@pytest.fixture
def cluster_of(view_of):
    def make(host, rule="", **mesh):
        port = 443 if "." in host else 80
        name = f"outbound|{port}||{host if '.' in host else f'{host}.default.svc.cluster.local'}"
        text = SHOP + (RULE % (host.partition(".")[0], host, rule) if rule else "")
        return build(view_of(text, mesh=mesh))[CLUSTER][name]

    return make


POLICY = {"connectionPool": {"tcp": {"maxConnections": 7}}, "outlierDetection": {"consecutive5xxErrors": 3}}


def _limit(cluster):
    return cluster["circuit_breakers"]["thresholds"][0]["max_connections"]


def test_default_blocks_hold_where_no_rule_has_them(cluster_of):
    cluster = cluster_of("shop", defaultTrafficPolicy=POLICY)
    assert (_limit(cluster), cluster["outlier_detection"]["consecutive_5xx"]) == (7, 3)


def test_a_rules_block_replaces_the_default_block_whole(cluster_of):
    cluster = cluster_of("shop", "connectionPool: {http: {maxRetries: 2}}", defaultTrafficPolicy=POLICY)
    assert _limit(cluster) > 7
    assert cluster["circuit_breakers"]["thresholds"][0]["max_retries"] == 2
    assert cluster["outlier_detection"]["consecutive_5xx"] == 3


def test_keepalive_is_merged_field_by_field(cluster_of):
    mesh = {"tcpKeepalive": {"probes": 3, "time": "10s"}}
    rule = "connectionPool: {tcp: {tcpKeepalive: {time: 20s, interval: 5s}}}"

    def keepalive(rule=""):
        return cluster_of("shop", rule, **mesh)["upstream_connection_options"]["tcp_keepalive"]

    assert keepalive() == {"keepalive_probes": 3, "keepalive_time": 10}
    assert keepalive(rule) == {"keepalive_probes": 3, "keepalive_time": 20, "keepalive_interval": 5}


def test_names_are_resolved_as_often_as_the_mesh_says(cluster_of):
    assert cluster_of("away.example.com")["dns_refresh_rate"] == "60s"
    assert cluster_of("away.example.com", dnsRefreshRate="5s")["dns_refresh_rate"] == "5s"


def test_versions_and_ciphers_of_mtls_are_the_meshs(cluster_of):
    suite = "ECDHE-ECDSA-AES256-GCM-SHA384"
    tls = {"minProtocolVersion": "TLSV1_3", "cipherSuites": [suite]}
    cluster = cluster_of("shop", meshMTLS=tls, tlsDefaults={"minProtocolVersion": "TLSV1_2"})
    context = cluster["transport_socket_matches"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_3", "cipher_suites": [suite]}


def test_other_tls_has_the_defaults_of_its_own(cluster_of):
    cluster = cluster_of("away.example.com", "tls: {mode: SIMPLE}", tlsDefaults={"minProtocolVersion": "TLSV1_3"})
    context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_3"}


INBOUND = {"inbound": Address("0.0.0.0", 15006), "app_port": 8080}


def test_a_silent_client_is_waited_for_as_long_as_the_mesh_says(view_of):
    listener = build(view_of(SHOP, mesh={"protocolDetectionTimeout": "3s"}, **INBOUND))[LISTENER]["virtualInbound"]
    assert listener["listener_filters_timeout"] == "3s"
    assert listener["continue_on_listener_filters_timeout"]


def test_a_workload_takes_only_the_versions_of_the_mesh(view_of):
    view = view_of(SHOP, mesh={"meshMTLS": {"minProtocolVersion": "TLSV1_3"}}, **INBOUND)
    chain = build(view)[LISTENER]["virtualInbound"]["filter_chains"][0]
    context = chain["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_3"}
