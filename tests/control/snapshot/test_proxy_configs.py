"""Which variables a proxy has: the mesh's, its namespace's, its own."""

import pytest

CONFIGS = """
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: root, namespace: istio-system}
spec: {environmentVariables: {A: root, B: root, C: root}}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: all, namespace: shop}
spec: {environmentVariables: {B: shop, C: shop}}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: web, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, environmentVariables: {C: web}}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: ignored, namespace: istio-system}
spec: {selector: {matchLabels: {app: web}}, environmentVariables: {C: ignored}}
"""


@pytest.mark.parametrize(
    ("namespace", "labels", "expected"),
    [
        ("elsewhere", {"app": "web"}, {"A": "root", "B": "root", "C": "root"}),
        ("shop", {"app": "db"}, {"A": "root", "B": "shop", "C": "shop"}),
        ("shop", {"app": "web"}, {"A": "root", "B": "shop", "C": "web"}),
    ],
)
def test_the_nearest_value_of_a_variable_counts(view_of, namespace, labels, expected):
    metadata = {"proxyMetadata": {"A": "mesh", "M": "mesh"}}
    view = view_of(CONFIGS, namespace=namespace, labels=labels, defaultConfig=metadata)
    assert view.environment == {"M": "mesh"} | expected


def test_without_any_there_are_none(view_of):
    assert view_of("").environment == {}
