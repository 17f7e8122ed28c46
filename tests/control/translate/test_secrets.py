"""A gateway gets the secrets that its own Gateways name, and no others."""

import pytest

from pymesh.control.model.gateway import ServerTLSSettings
from pymesh.control.model.kinds import SECRET as SECRET_KIND
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.secret import Secret
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.control.translate.server_tls import client_ca_credential
from pymesh.xds import CLUSTER, SECRET

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: shop}}
---
"""


def _secret(namespace: str, chain: str, key: str, name: str = "shop") -> tuple[Resource[Secret], ...]:
    spec = Secret(data={chain: b"chain", key: b"key"})
    return (Resource(kind=SECRET_KIND, metadata=Metadata(name=name, namespace=namespace), spec=spec),)


def _secrets(view):
    return build(view)[SECRET]


def test_named_secret_of_the_gateways_namespace_is_sent(view_of):
    view = view_of(GATEWAY, more=_secret("edge", "tls.crt", "tls.key"), router=True, namespace="edge")
    (secret,) = _secrets(view).values()
    assert secret["name"] == "kubernetes://shop"
    assert secret["tls_certificate"]["private_key"] == {"inline_string": "key"}


def test_old_names_of_the_keys_are_taken(view_of):
    view = view_of(GATEWAY, more=_secret("edge", "cert", "key"), router=True, namespace="edge")
    assert list(_secrets(view)) == ["kubernetes://shop"]


def test_secret_of_another_namespace_is_not_sent(view_of):
    view = view_of(GATEWAY, more=_secret("other", "tls.crt", "tls.key"), router=True, namespace="edge")
    assert _secrets(view) == {}


def test_secret_that_no_gateway_names_is_not_sent(view_of):
    view = view_of(GATEWAY, more=_secret("edge", "tls.crt", "tls.key", "private"), router=True, namespace="edge")
    assert _secrets(view) == {}


def test_secret_without_its_keys_is_left_out(view_of):
    view = view_of(GATEWAY, more=_secret("edge", "a", "b"), router=True, namespace="edge")
    assert _secrets(view) == {}


def test_gateway_that_is_not_selected_gets_nothing(view_of):
    selecting = GATEWAY.replace("spec:\n", "spec:\n  selector: {istio: other}\n")
    view = view_of(selecting, more=_secret("edge", "tls.crt", "tls.key"), router=True, namespace="edge")
    assert _secrets(view) == {}


def test_sidecar_gets_no_secrets(view_of):
    assert _secrets(view_of(GATEWAY, more=_secret("edge", "tls.crt", "tls.key"), namespace="edge")) == {}


def test_ca_for_clients_is_named_after_the_credential():
    assert client_ca_credential(ServerTLSSettings(credential_name="shop")) == "shop-cacert"
    assert client_ca_credential(ServerTLSSettings(ca_certificates="/ca.pem")) == ""


CLIENT = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: edge}
spec: {hosts: [out.example], resolution: DNS, ports: [{number: 443, name: https, protocol: HTTPS}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: out, namespace: edge}
spec: {host: out.example, trafficPolicy: {tls: {mode: MUTUAL, credentialName: client}}}
---
"""


def test_gateway_gets_the_credential_of_a_destination_rule_and_a_sidecar_does_not(view_of):
    data = {"tls.crt": b"chain", "tls.key": b"key", "ca.crt": b"roots"}
    secret = Resource(kind=SECRET_KIND, metadata=Metadata(name="client", namespace="edge"), spec=Secret(data=data))
    gateway = view_of(CLIENT, more=(secret,), router=True, namespace="edge")
    assert list(_secrets(gateway)) == ["kubernetes://client", "kubernetes://client-cacert"]
    context = build(gateway)[CLUSTER]["outbound|443||out.example"]["transport_socket"]["typed_config"]
    named = context["common_tls_context"]["tls_certificate_sds_secret_configs"]
    assert [item["name"] for item in named] == ["kubernetes://client"]
    assert _secrets(view_of(CLIENT, more=(secret,), namespace="edge")) == {}


@pytest.mark.parametrize("first", ["gateway", "sidecar"])
def test_what_a_gateway_obeys_is_none_of_a_sidecars_whichever_asks_first(view_of, first):
    secret = _secret("edge", "tls.crt", "tls.key", "client")
    gateway = view_of(CLIENT, more=secret, router=True, namespace="edge")
    sidecar = ProxyView(gateway.snapshot, view_of(CLIENT, namespace="edge").node)
    views = {"gateway": gateway, "sidecar": sidecar}
    _secrets(views[first])
    assert list(_secrets(gateway)) == ["kubernetes://client"]
    assert _secrets(sidecar) == {}
