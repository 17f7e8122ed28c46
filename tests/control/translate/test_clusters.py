"""Clusters: what of a service and its DestinationRule they carry."""

import pytest

from pymesh.control.translate.build import build
from pymesh.xds import CLUSTER

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: checkout}
spec: {selector: {app: payment}, ports: [{name: http, port: 80}, {name: http-admin, port: 90}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: checkout}
spec:
  host: checkout
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 7}}
    outlierDetection: {consecutive5xxErrors: 1}
    loadBalancer: {simple: RANDOM}
    portLevelSettings: [{port: {number: 90}, connectionPool: {tcp: {maxConnections: 9}}}]
---
"""
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec:
  hosts: [api.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: %s
"""


@pytest.fixture
def clusters_of(view_of):
    return lambda yaml: build(view_of(yaml, service="payment", app_port=8080, labels={"app": "payment"}))[CLUSTER]


def test_inbound_cluster_is_of_the_service_that_selects_the_workload_whatever_its_name(clusters_of):
    metadata = clusters_of(SERVICE)["inbound|8080||"]["metadata"]["filter_metadata"]["istio"]
    host = "checkout.default.svc.cluster.local"
    assert metadata == {"services": [{"host": host, "name": "checkout", "namespace": "default"}]}


def test_inbound_cluster_has_the_connection_pool_of_the_destination_rule_and_nothing_else(clusters_of):
    inbound = clusters_of(SERVICE)["inbound|8080||"]
    assert inbound["circuit_breakers"]["thresholds"][0]["max_connections"] == 7
    assert not inbound.keys() & {"outlier_detection", "lb_policy"}


@pytest.mark.parametrize(("resolution", "kind"), [("DNS", "STRICT_DNS"), ("DNS_ROUND_ROBIN", "LOGICAL_DNS")])
def test_round_robin_by_dns_takes_one_address_at_a_time(clusters_of, resolution, kind):
    cluster = clusters_of(ENTRY % resolution)["outbound|80||api.example.com"]
    assert cluster["type"] == kind
    assert len(cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 1
