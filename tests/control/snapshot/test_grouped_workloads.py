from pymesh import xds
from pymesh.control.snapshot.instance import Locality
from pymesh.control.snapshot.proxy_view import ProxyView

OBJECTS = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: payments-1, annotations: {NOTE: payments}}
spec: {address: 1.2.3.4, labels: {version: v2, tier: gold}, locality: eu/berlin}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: near}
spec:
  host: books
  trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true, distribute: [{from: eu/*, to: {us/*: 100}}]}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {selector: {matchLabels: {tier: gold}}, mtls: {mode: STRICT}}
"""
UNDER_A_GROUP = OBJECTS.replace("NOTE", "istio.io/autoRegistrationGroup")


def view(snapshot, locality: str = "", **labels: str) -> ProxyView:
    metadata = xds.NodeMetadata(name="payments-1", labels=labels)
    return ProxyView(snapshot, xds.Node("sidecar~1.2.3.4~x.default~d", "", metadata, xds.parse_node_locality(locality)))


def test_rules_see_the_labels_that_a_proxy_has_of_its_group(snapshot_of) -> None:
    assert view(snapshot_of(UNDER_A_GROUP)).inbound_mode(80) == "STRICT"
    assert view(snapshot_of(UNDER_A_GROUP), tier="lead").inbound_mode(80) == "PERMISSIVE"


def test_a_proxy_that_says_no_locality_has_its_groups(snapshot_of) -> None:
    assert view(snapshot_of(UNDER_A_GROUP)).locality == Locality("eu", "berlin")
    assert view(snapshot_of(UNDER_A_GROUP), "us").locality == Locality("us")


def test_a_proxy_without_a_group_is_what_it_says(snapshot_of) -> None:
    assert view(snapshot_of(OBJECTS)).inbound_mode(80) == "PERMISSIVE"
