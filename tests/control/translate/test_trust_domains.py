"""Trust domains of the mesh in TLS: whom a client takes for the service, whom a workload lets in."""

from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.translate.build import build
from pymesh.control.translate.tls import build_mesh_server

ALIASES = {"trustDomain": "new.org", "trustDomainAliases": ["old.org"]}
SHOP = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: shop-1}
spec: {address: 10.0.1.1, labels: {app: shop}, serviceAccount: shop}
"""


def _names(context):
    combined = context["common_tls_context"]["combined_validation_context"]
    return [one["matcher"] for one in combined["default_validation_context"]["match_typed_subject_alt_names"]]


def test_a_server_may_be_of_any_trust_domain_of_the_mesh(view_of):
    view = view_of(SHOP, mesh=ALIASES, labels={"security.istio.io/tlsMode": "istio"})
    cluster = build(view)["type.googleapis.com/envoy.config.cluster.v3.Cluster"][
        "outbound|80||shop.default.svc.cluster.local"
    ]
    context = cluster["transport_socket_matches"][0]["transport_socket"]["typed_config"]
    assert _names(context) == [
        {"exact": "spiffe://new.org/ns/default/sa/shop"},
        {"exact": "spiffe://old.org/ns/default/sa/shop"},
    ]


def test_a_client_must_be_of_a_trust_domain_of_the_mesh():
    assert _names(build_mesh_server(decode_mesh_config(ALIASES), is_tcp=False)) == [
        {"prefix": "spiffe://new.org/"},
        {"prefix": "spiffe://old.org/"},
    ]
