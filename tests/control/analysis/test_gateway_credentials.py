"""Secrets of Gateways, and certificates that several Gateways share."""

from datetime import UTC, datetime

import pytest
import trustme
import yaml

from tests.control.analysis.conftest import Analyze

_PAIR, _CA = {"tls.crt", "tls.key"}, {"ca.crt"}


@pytest.fixture(scope="module")
def pems() -> dict[str, str]:
    authority = trustme.CA()
    issued = authority.issue_cert("shop.example")
    chain, key = issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()
    return {"tls.crt": chain, "tls.key": key, "ca.crt": authority.cert_pem.bytes().decode()}


def _secret(pems: dict[str, str], keys: set[str], name: str = "shop") -> str:
    data = {key: pems[key] for key in sorted(keys)}
    metadata = {"name": name, "namespace": "istio-system"}
    return "---\n" + yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})


def _generic(pems: dict[str, str]) -> str:
    return _secret(pems, _PAIR).replace("tls.crt", "cert").replace("tls.key", "key")


def _gateway(name: str, credential: str, mode: str = "SIMPLE", selector: str = "{istio: ingressgateway}") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: {name}
spec:
  selector: {selector}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    tls:
      mode: {mode}
      credentialName: {credential}
    hosts: [{name}.example]
"""


def test_a_credential_without_a_secret_is_not_found(analyzed: Analyze) -> None:
    assert analyzed(_gateway("a", "shop")).of("IST0101") == ["Gateway default/a:12"]


def test_a_secret_must_be_where_the_gateways_workload_is(analyzed: Analyze, pems: dict[str, str]) -> None:
    pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: edge, namespace: edge, labels: {istio: edge}}}\n"
    assert analyzed(_gateway("a", "shop"), _secret(pems, _PAIR)).codes == []
    elsewhere = _gateway("a", "shop", selector="{istio: edge}")
    assert analyzed(elsewhere, pod, _secret(pems, _PAIR)).codes == ["IST0101"]


def test_a_secret_of_either_form_is_a_credential(analyzed: Analyze, pems: dict[str, str]) -> None:
    assert analyzed(_gateway("a", "shop"), _generic(pems)).codes == []


def test_a_secret_without_certificate_or_key_is_no_credential(analyzed: Analyze, pems: dict[str, str]) -> None:
    for keys in (_CA, {"tls.key"}, set[str]()):
        assert analyzed(_gateway("a", "shop"), _secret(pems, keys)).of("IST0161") == ["Gateway default/a:12"]


def test_a_secret_whose_certificate_is_none_or_too_old_is_no_credential(
    analyzed: Analyze, pems: dict[str, str]
) -> None:
    old = trustme.CA().issue_cert("shop.example", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    expired = {"tls.crt": old.cert_chain_pems[0].bytes().decode(), "tls.key": old.private_key_pem.bytes().decode()}
    reasons = {"has expired": expired, "is not a certificate in PEM": {**pems, "tls.crt": "none"}}
    reasons["is not the key of tls.crt"] = {**pems, "tls.key": expired["tls.key"]}
    for reason, pair in reasons.items():
        (text,) = analyzed(_gateway("a", "shop"), _secret(pair, _PAIR)).texts("IST0161")
        assert text.endswith(reason)


def test_an_invalid_secret_is_told_of_once(analyzed: Analyze, pems: dict[str, str]) -> None:
    broken = _generic({**pems, "tls.crt": "none"})
    assert analyzed(_gateway("a", "shop"), broken).codes == ["IST0106"]


def test_clients_are_verified_by_a_ca_in_either_secret(analyzed: Analyze, pems: dict[str, str]) -> None:
    mutual = _gateway("a", "shop", "MUTUAL")
    assert analyzed(mutual, _secret(pems, _PAIR)).of("IST0161") == ["Gateway default/a:12"]
    assert analyzed(mutual, _secret(pems, _PAIR | _CA)).codes == []
    assert analyzed(mutual, _secret(pems, _PAIR), _secret(pems, _CA, "shop-cacert")).codes == []


def test_gateways_with_one_certificate_share_it(analyzed: Analyze, pems: dict[str, str]) -> None:
    found = analyzed(_gateway("a", "shop"), _gateway("b", "shop"), _secret(pems, _PAIR))
    assert (found.codes, found.of("IST0138")) == (["IST0138"] * 2, ["Gateway default/a:5", "Gateway default/b:18"])


def test_gateways_with_a_certificate_each_do_not(analyzed: Analyze, pems: dict[str, str]) -> None:
    secrets = _secret(pems, _PAIR), _secret(pems, _PAIR, "other")
    assert analyzed(_gateway("a", "shop"), _gateway("b", "other"), *secrets).codes == []
