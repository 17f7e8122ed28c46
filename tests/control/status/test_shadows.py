from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.resource import Key
from pymesh.control.status.shadows import find_shadows

VIRTUAL_SERVICE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "2026-01-0{day}T00:00:00Z"}}
spec:
  hosts: {hosts}
  gateways: {gateways}
  exportTo: ["{export_to}"]
  http: [{{route: [{{destination: {{host: web}}}}]}}]
---
"""


def virtual_service(name, day, hosts="[web]", namespace="default", gateways="[mesh]", export_to="*"):
    return VIRTUAL_SERVICE.format(**locals())


def shadows(*yaml):
    return find_shadows(read_manifest("---\n".join(yaml), "test").resources, MeshConfig())


def test_the_younger_virtual_service_of_a_host_has_no_effect_in_sidecars() -> None:
    found = shadows(virtual_service("young", 2), virtual_service("old", 1))
    assert list(found) == [Key("VirtualService", "default", "young")]
    assert found[Key("VirtualService", "default", "young")] == (
        True,
        ("sidecars route web.default.svc.cluster.local by VirtualService default/old",),
    )


def test_a_virtual_service_with_another_host_too_is_partly_shadowed() -> None:
    found = shadows(virtual_service("old", 1), virtual_service("young", 2, hosts="[web, other]"))
    assert not found[Key("VirtualService", "default", "young")].is_whole


def test_a_virtual_service_that_a_gateway_obeys_is_partly_shadowed() -> None:
    found = shadows(virtual_service("old", 1), virtual_service("young", 2, gateways="[mesh, front]"))
    assert not found[Key("VirtualService", "default", "young")].is_whole


def test_virtual_services_of_gateways_are_merged_and_shadow_nothing() -> None:
    assert shadows(virtual_service("a", 1, gateways="[front]"), virtual_service("b", 2, gateways="[front]")) == {}


def test_a_private_rule_shadows_an_older_public_one_only_in_its_namespace() -> None:
    public = virtual_service("public", 1, hosts="[web.default.svc.cluster.local]", namespace="other")
    private = virtual_service("private", 2, export_to=".")
    assert shadows(public, private) == {}


DESTINATION_RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: default, creationTimestamp: "2026-01-0{day}T00:00:00Z"}}
spec:
  host: web
  exportTo: {export_to}
  {policy}
  subsets: {subsets}
---
"""
POLICY = "trafficPolicy: {loadBalancer: {simple: RANDOM}}"


def destination_rule(name, day, policy="", subsets="[]", export_to="[]"):
    return DESTINATION_RULE.format(**locals())


def test_destination_rules_of_one_host_are_merged_and_the_older_policy_wins() -> None:
    found = shadows(
        destination_rule("old", 1, POLICY, "[{name: v1, labels: {version: v1}}]"),
        destination_rule("young", 2, POLICY, "[{name: v1, labels: {version: v2}}, {name: v2, labels: {version: v2}}]"),
    )
    assert found == {
        Key("DestinationRule", "default", "young"): (
            False,
            (
                "trafficPolicy is that of DestinationRule default/old",
                "subset v1 is that of DestinationRule default/old",
            ),
        )
    }


def test_destination_rules_that_complete_each_other_shadow_nothing() -> None:
    assert (
        shadows(
            destination_rule("old", 1, POLICY),
            destination_rule("young", 2, subsets="[{name: v1, labels: {version: v1}}]"),
        )
        == {}
    )


def test_to_be_exported_to_all_is_what_holds_for_who_says_nothing() -> None:
    found = shadows(destination_rule("old", 1, POLICY), destination_rule("young", 2, POLICY, export_to='["*"]'))
    assert found[Key("DestinationRule", "default", "young")].is_whole
    assert shadows(destination_rule("old", 1, POLICY), destination_rule("young", 2, POLICY, export_to='["."]')) == {}


PEER_AUTHENTICATION = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: default, creationTimestamp: "2026-01-0{day}T00:00:00Z"}}
spec: {{mtls: {{mode: STRICT}}}}
---
"""


def test_the_oldest_peer_authentication_of_a_scope_holds_alone() -> None:
    found = shadows(PEER_AUTHENTICATION.format(name="b", day=1), PEER_AUTHENTICATION.format(name="a", day=2))
    assert found[Key("PeerAuthentication", "default", "a")] == (
        True,
        ("PeerAuthentication default/b is for the same workloads and older",),
    )
