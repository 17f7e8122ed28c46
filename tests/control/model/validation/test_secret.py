"""Rules of Secrets: certificates that parse, keys that belong to them."""

from collections.abc import Callable

import pytest
import trustme
import yaml

Refuse = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def leaf() -> tuple[str, str]:
    """Certificate and key."""
    issued = trustme.CA().issue_cert("a.example.com")
    return issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()


def tls_secret(**data: str) -> str:
    named = {name.replace("_", "."): text for name, text in data.items()}
    return yaml.safe_dump({"type": "kubernetes.io/tls", "stringData": named})


def test_a_pair_is_taken(leaf: tuple[str, str], refuse: Refuse) -> None:
    assert refuse("secret", tls_secret(tls_crt=leaf[0], tls_key=leaf[1])) == []


def test_a_secret_of_type_tls_needs_both(leaf: tuple[str, str], refuse: Refuse) -> None:
    assert refuse("secret", tls_secret(tls_crt=leaf[0])) == [
        'data["tls.key"]: is required in a Secret of type kubernetes.io/tls'
    ]


def test_a_key_of_another_certificate_is_refused(leaf: tuple[str, str], refuse: Refuse) -> None:
    other = trustme.CA().issue_cert("b.example.com").private_key_pem.bytes().decode()
    assert refuse("secret", tls_secret(tls_crt=leaf[0], tls_key=other)) == [
        'data["tls.key"]: is not the key of tls.crt'
    ]


def test_what_does_not_parse_is_refused(leaf: tuple[str, str], refuse: Refuse) -> None:
    assert refuse("secret", tls_secret(tls_crt="x", tls_key="y", ca_crt="z")) == [
        'data["tls.crt"]: is not a certificate in PEM',
        'data["tls.key"]: is not an unencrypted private key in PEM',
        'data["ca.crt"]: is not a certificate in PEM',
    ]


def test_istios_generic_keys_are_checked_too(leaf: tuple[str, str], refuse: Refuse) -> None:
    text = yaml.safe_dump({"type": "Opaque", "stringData": {"cert": leaf[0], "key": "y"}})
    assert refuse("secret", text) == ["data.key: is not an unencrypted private key in PEM"]
