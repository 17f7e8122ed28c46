from pymesh.cli.describe import describe

ITEM = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {
        "name": "reviews",
        "namespace": "shop",
        "labels": {"team": "a", "app": "reviews"},
        "annotations": {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "uid": "1-2",
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {"hosts": ["reviews"], "http": [{"retries": {"perTryTimeout": "2s"}, "match": [{"ignoreUriCase": True}]}]},
}

TEXT = """\
Name:         reviews
Namespace:    shop
Labels:       app=reviews
              team=a
Annotations:  note: x
API Version:  networking.istio.io/v1
Kind:         VirtualService
Metadata:
  UID:  1-2
Spec:
  Hosts:
    reviews
  Http:
    Match:
      Ignore Uri Case:  true
    Retries:
      Per Try Timeout:  2s"""


def test_an_object_is_described_as_kubectl_does() -> None:
    assert "\n".join(describe(ITEM)) == TEXT


def test_a_secret_is_not_shown() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"tls.key": "c2VjcmV0"}}
    assert "  tls.key:  8 characters of base64" in list(describe(secret))
