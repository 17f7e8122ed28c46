import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.control.api.kubernetes_protobuf import decode_protobuf
from pymesh.control.api.protobuf_writer import message, text
from pymesh.control.api.status import RequestError

# What kubectl 1.33 sent for `create service clusterip web --tcp=80:8080`.
SERVICE = base64.b64decode(
    "azhzAAoNCgJ2MRIHU2VydmljZRJpCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkIKGwoHODAtODA4MBIDVENQGFAiBwgAEJA/GgAoABIKCgNhcHASA3dlYhoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA=="
)


def body(kind: str, content: bytes) -> bytes:
    return b"k8s\x00" + message(1, text(1, "v1") + text(2, kind)) + message(2, content)


def test_what_kubectl_sends_is_read() -> None:
    assert decode_protobuf(SERVICE) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080}],
            "selector": {"app": "web"},
            "type": "ClusterIP",
        },
    }


def test_of_other_kinds_the_metadata_is_read() -> None:
    content = message(1, text(1, "web") + text(3, "shop")) + message(2, b"\x01\x02 not looked at")
    assert decode_protobuf(body("Deployment", content)) == {
        "apiVersion": "v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
    }


def test_bytes_become_base64() -> None:
    content = message(1, text(1, "keys")) + message(2, text(1, "a") + message(2, b"\xff\x00"))
    assert decode_protobuf(body("Secret", content))["data"] == {"a": "/wA="}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"k8s\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"k8s\x00\x0a\x7f",
        b"k8s\x00\x0b",
        body("Secret", message(1, b"\x0a\x05ab")),
        body("Secret", b"\x08\x01"),
        body("Secret", message(1, message(1, b"\xff"))),
        body("Secret", message(1, message(8, b"\x08" + b"\xff" * 9 + b"\x01"))) + b"\x00\x80",
    ],
)
def test_what_is_no_protobuf_is_refused(content: Any) -> None:
    with pytest.raises(RequestError):
        decode_protobuf(content)


@given(kind=st.sampled_from(["Service", "Secret", "ConfigMap", "DeleteOptions", "Deployment"]), content=st.binary())
def test_any_bytes_are_fields_or_a_refusal(kind: str, content: bytes) -> None:
    for sent in (b"k8s\x00" + content, body(kind, content), body(kind, message(1, content) + message(2, content))):
        try:
            decoded = decode_protobuf(sent)
        except RequestError:
            continue
        assert isinstance(decoded, dict)
