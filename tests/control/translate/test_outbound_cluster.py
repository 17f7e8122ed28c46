"""When a sidecar speaks mTLS: the traps of auto mTLS."""

import pytest

from pymesh.control.translate.outbound_cluster import UpstreamTls, outbound_clusters

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{name: http, port: 80}]}\n---\n"
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: x}
spec: {hosts: [x.example.com], location: %s, ports: [{number: 80, name: http}], resolution: DNS}
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: x}
spec: {host: x, trafficPolicy: {tls: %s}}
---
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: %s}
spec: {mtls: {mode: %s}}
---
"""


def _tls(view) -> UpstreamTls:
    (cluster,) = outbound_clusters(view)
    return cluster.tls


def test_service_of_the_mesh_has_auto_mtls(view_of):
    assert _tls(view_of(SERVICE)) is UpstreamTls.AUTO


def test_external_service_has_no_auto_mtls(view_of):
    assert _tls(view_of(ENTRY % "MESH_EXTERNAL")) is UpstreamTls.NONE
    assert _tls(view_of(ENTRY % "MESH_INTERNAL")) is UpstreamTls.AUTO


@pytest.mark.parametrize(("namespace", "mode"), [("default", "DISABLE"), ("istio-system", "DISABLE")])
def test_policy_that_disables_mtls_is_heeded_by_clients(view_of, namespace, mode):
    assert _tls(view_of(SERVICE + POLICY % (namespace, mode))) is UpstreamTls.NONE


def test_mesh_may_switch_auto_mtls_off(view_of):
    assert _tls(view_of(SERVICE, mesh={"enableAutoMtls": False})) is UpstreamTls.NONE


def test_tls_of_a_destination_rule_always_wins(view_of):
    strict = POLICY % ("istio-system", "STRICT")
    assert _tls(view_of(SERVICE + strict + RULE % "{mode: DISABLE}")) is UpstreamTls.NONE
    assert _tls(view_of(SERVICE + RULE % "{mode: ISTIO_MUTUAL}")) is UpstreamTls.ISTIO_MUTUAL
    assert _tls(view_of(SERVICE + RULE % "{mode: SIMPLE}")) is UpstreamTls.EXTERNAL


def test_empty_tls_block_is_disable(view_of):
    assert _tls(view_of(SERVICE + RULE % "{}")) is UpstreamTls.NONE


def test_proxy_without_certificate_speaks_no_mtls(view_of):
    assert _tls(view_of(SERVICE, labels={})) is UpstreamTls.NONE
    assert _tls(view_of(SERVICE + RULE % "{mode: ISTIO_MUTUAL}", labels={})) is UpstreamTls.NONE
