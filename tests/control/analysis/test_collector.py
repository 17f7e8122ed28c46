"""Whatever stands in a file is told of, and nothing of it ends the analysis."""

import pytest

from tests.control.analysis.conftest import Analyze


@pytest.mark.parametrize(
    "text",
    [
        "just words",
        "[1, 2]",
        "kind: VirtualService",
        "{apiVersion: v1, kind: Nonsense, metadata: {name: a}}",
        "{apiVersion: v1, kind: Service, metadata: 1, spec: 2}",
        "{apiVersion: v1, kind: Service, metadata: {name: a, annotations: 1}, spec: {ports: [{port: 80}]}}",
        "{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: a}, spec: {hosts: 1}}",
        "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: a}, spec: []}",
        "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {http: [[regex]]}}",
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, finalizers: a}}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}, data: {mesh: 'a: ['}}",
    ],
)
def test_what_is_no_object_is_a_schema_error(analyzed: Analyze, text: str) -> None:
    assert set(analyzed(text).codes) == {"IST0106"}


def test_an_object_with_a_violation_is_looked_at_all_the_same(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: a}
    spec:
      hosts: [a]
      http:
      - timeout: soon
        route: [{destination: {host: lost}}]
    """
    assert analyzed(text).codes == ["IST0101", "IST0106"]


def test_each_object_without_a_name_is_told_of(analyzed: Analyze) -> None:
    nameless = "---\n{apiVersion: v1, kind: Service, spec: {ports: [{name: http, port: 80}]}}\n"
    assert analyzed(nameless, nameless).of("IST0106") == ["Service default/<line 2>:2", "Service default/<line 4>:4"]


@pytest.mark.parametrize("spec", ["1", "{}", "{template: 1}", "{template: {metadata: {labels: [a]}}}"])
def test_a_pod_template_without_labels_is_a_workload_without_labels(analyzed: Analyze, spec: str) -> None:
    assert analyzed(f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: a}}, spec: {spec}}}").codes == []


def test_kinds_that_mean_nothing_here_are_passed_over(analyzed: Analyze) -> None:
    assert analyzed("{apiVersion: v1, kind: PersistentVolume, metadata: {name: a}}").codes == []


def test_the_items_of_a_list_are_objects(analyzed: Analyze) -> None:
    text = """
    apiVersion: v1
    kind: List
    items:
    - apiVersion: networking.istio.io/v1
      kind: DestinationRule
      metadata: {name: a}
      spec:
        host: lost
    """
    assert analyzed(text).of("IST0174") == ["DestinationRule default/a:8"]


def test_of_two_objects_of_one_name_the_last_counts(analyzed: Analyze) -> None:
    text = """---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: HOST}
"""
    service = "---\n{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{name: http, port: 80}]}}\n"
    assert analyzed(text.replace("HOST", "lost"), text.replace("HOST", "web"), service).codes == []
    assert analyzed(text.replace("HOST", "web"), text.replace("HOST", "lost"), service).of("IST0174") == [
        "DestinationRule default/a:10"
    ]


def test_istios_config_map_has_the_mesh_config(analyzed: Analyze) -> None:
    text = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    defaultServiceExportTo: ["."]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: web.shop.svc.cluster.local}
"""
    assert analyzed(text).of("IST0174") == ["DestinationRule default/a:17"]
    assert not analyzed(text.replace('["."]', '["*"]')).of("IST0174")
