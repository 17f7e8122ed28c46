"""Who gets spans, where nobody or somebody of no use is named."""

import pytest

from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.tracing import build_tracing

ZIPKIN = """
apiVersion: v1
kind: Service
metadata: {name: zipkin, namespace: istio-system}
spec: {ports: [{name: http, port: 9411}]}
"""
HOST = "zipkin.istio-system.svc.cluster.local"


def tracing(telemetry=None, **mesh):
    objects = ZIPKIN
    if telemetry is not None:
        head = "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: a, namespace: default}\n"
        objects += f"{head}spec: {{tracing: [{telemetry}]}}\n"
    snapshot = MeshSnapshot.build(read_manifest(objects, "test").resources, decode_mesh_config(mesh), 1)
    metadata = xds.NodeMetadata(name="web-1", namespace="default", labels={"app": "web"})
    return build_tracing(
        ProxyView(snapshot, xds.Node(id="sidecar~10.0.0.1~web-1~default", metadata=metadata)), "CLIENT"
    )


def zipkin(**fields):
    return [{"name": "zipkin", "zipkin": {"service": HOST, "port": 9411, **fields}}]


def cluster(built):
    return built["provider"]["typed_config"]["collector_service"]["http_uri"]["cluster"]


def test_without_a_provider_the_control_plane_gets_the_spans() -> None:
    assert tracing() == {"random_sampling": {"value": 1.0}}
    assert tracing("{randomSamplingPercentage: 7}", extensionProviders=zipkin()) == {"random_sampling": {"value": 7}}


@pytest.mark.parametrize(
    ("name", "fields"), [("nobody", {}), ("zipkin", {"port": 1}), ("zipkin", {"service": "other.example"})]
)
def test_who_names_a_provider_that_is_not_there_traces_nothing(name, fields) -> None:
    told = f"{{providers: [{{name: {name}}}], randomSamplingPercentage: 50}}"
    assert tracing(told, extensionProviders=zipkin(**fields)) == {"random_sampling": {"value": 0.0}}


def test_no_spans_are_reported_where_that_is_switched_off() -> None:
    told = "{providers: [{name: zipkin}], disableSpanReporting: true}"
    assert tracing(told, extensionProviders=zipkin())["random_sampling"] == {"value": 0.0}


def test_the_mesh_s_provider_and_its_older_form() -> None:
    providers = {"extensionProviders": zipkin(), "defaultProviders": {"tracing": ["zipkin"]}}
    assert cluster(tracing(**providers)) == f"outbound|9411||{HOST}"
    assert cluster(tracing(defaultConfig={"tracing": {"zipkin": {"address": "zipkin.istio-system:9411"}}})) == (
        f"outbound|9411||{HOST}"
    )
    elsewhere = {"tracing": {"zipkin": {"address": "zipkin.example:9411"}}}
    assert tracing(defaultConfig=elsewhere) == {"random_sampling": {"value": 1.0}}


def test_headers_may_come_from_the_control_plane_s_environment(monkeypatch) -> None:
    monkeypatch.setenv("PYMESH_TEST_TOKEN", "secret")
    headers = [{"name": "authorization", "envName": "PYMESH_TEST_TOKEN"}, {"name": "x-a", "value": "b"}]
    built = tracing("{providers: [{name: zipkin}]}", extensionProviders=zipkin(headers=headers))
    added = built["provider"]["typed_config"]["collector_service"]["request_headers_to_add"]
    assert [one["header"] for one in added] == [
        {"key": "authorization", "value": "secret"},
        {"key": "x-a", "value": "b"},
    ]


@pytest.mark.parametrize(
    ("mesh", "tag"),
    [
        ({}, {"tag": "zone", "environment": {"name": "ZONE", "default_value": "none"}}),
        ({"defaultConfig": {"proxyMetadata": {"ZONE": "a"}}}, {"tag": "zone", "literal": {"value": "a"}}),
    ],
)
def test_a_variable_that_rules_set_is_known_before_the_proxy_is_asked(mesh, tag) -> None:
    told = "{providers: [{name: zipkin}], customTags: {zone: {environment: {name: ZONE, defaultValue: none}}}}"
    assert tag in tracing(told, extensionProviders=zipkin(), **mesh)["custom_tags"]
