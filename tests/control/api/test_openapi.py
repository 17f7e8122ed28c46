"""What clients learn of types: texts, merge keys, the parameters of requests."""

from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from google.protobuf.internal.decoder import _DecodeVarint  # type: ignore[attr-defined]

from pymesh.control.api import openapi_v2
from pymesh.control.api.api_resources import API_RESOURCES
from pymesh.control.api.field_docs import class_doc, field_docs
from pymesh.control.api.openapi_schemas import REFERENCE
from pymesh.control.api.openapi_v3 import encode_document
from pymesh.control.model.messages import Message

Client = TestClient[Any, Any]


class _Documented(Message):
    """A message. `well_told` is a field, and other_words are none."""

    plain: str = ""
    well_told: str = ""
    """What it
    is for."""


def document(path: str) -> dict[str, Any]:
    content = encode_document(path)
    assert content is not None
    decoded: dict[str, Any] = msgspec.json.decode(content)
    return decoded


def walk(value: Any) -> Any:
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)


def test_the_text_of_a_field_is_the_literal_below_it() -> None:
    assert field_docs(_Documented) == {"well_told": "What it is for."}
    assert class_doc(_Documented) == "A message. `wellTold` is a field, and other_words are none."


@pytest.mark.parametrize(
    "path", ["api/v1", "apis/networking.istio.io/v1alpha3", "apis/security.istio.io/v1", "apis/apps/v1"]
)
def test_every_reference_has_a_schema(path: str) -> None:
    found = document(path)
    schemas = found["components"]["schemas"]
    references = {value["$ref"] for value in walk(found) if isinstance(value, dict) and "$ref" in value}
    assert references
    assert {reference.removeprefix(REFERENCE) for reference in references} <= schemas.keys()


def test_kubectl_finds_a_kind_by_path_and_by_extension() -> None:
    found = document("apis/networking.istio.io/v1")
    kind = {"group": "networking.istio.io", "version": "v1", "kind": "VirtualService"}
    path = found["paths"]["/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}"]
    assert path["patch"]["x-kubernetes-group-version-kind"] == kind
    assert "fieldValidation" in [parameter["name"] for parameter in path["patch"]["parameters"]]
    schema = found["components"]["schemas"]["io.istio.networking.v1.VirtualService"]
    assert schema["x-kubernetes-group-version-kind"] == [kind]
    assert schema["properties"]["spec"]["allOf"] == [{"$ref": f"{REFERENCE}virtual_service.VirtualService"}]


def test_the_ports_of_a_service_say_how_they_are_merged() -> None:
    ports = document("api/v1")["components"]["schemas"]["service.Service"]["properties"]["ports"]
    assert (ports["x-kubernetes-patch-merge-key"], ports["x-kubernetes-patch-strategy"]) == ("port", "merge")
    assert ports["x-kubernetes-list-map-keys"] == ["port", "protocol"]


async def test_a_document_that_did_not_change_is_not_sent_again(client: Client) -> None:
    index = await (await client.get("/openapi/v3")).json()
    url = index["paths"]["apis/networking.istio.io/v1"]["serverRelativeURL"]
    first = await client.get(url)
    assert (await first.json())["openapi"] == "3.0.0"
    again = await client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    assert (await client.get("/openapi/v3/apis/nobody/v1")).status == 404


async def test_openapi_v2_is_json_or_protobuf(client: Client) -> None:
    plain = await (await client.get("/openapi/v2")).json()
    assert "io.istio.networking.v1.VirtualService" in plain["definitions"]
    response = await client.get("/openapi/v2", headers={"Accept": openapi_v2.PROTOBUF_TYPES[1]})
    assert response.content_type == openapi_v2.PROTOBUF
    assert await response.read() == openapi_v2.encode_document()


def test_the_protobuf_has_every_definition() -> None:
    """Document.definitions (9) is a list of NamedSchema (1), whose name is 1."""
    definitions = _fields(_fields(openapi_v2.encode_document())[9][0])[1]
    names = [_fields(named)[1][0].decode() for named in definitions]
    assert names == list(openapi_v2.build_document()["definitions"])
    assert len([name for name in names if name.endswith(".VirtualService")]) == 4  # three versions and the spec


def test_every_resource_is_in_the_documents() -> None:
    definitions = openapi_v2.build_document()["definitions"].values()
    kinds = {kind["kind"] for one in definitions for kind in one.get("x-kubernetes-group-version-kind", ())}
    assert kinds == {resource.name for resource in API_RESOURCES}


def _fields(content: bytes) -> dict[int, list[bytes]]:
    """The length-delimited fields of a message, read by protobuf's own varints."""
    fields: dict[int, list[bytes]] = {}
    position = 0
    while position < len(content):
        tag, position = _DecodeVarint(content, position)
        assert tag & 7 == 2, tag
        length, position = _DecodeVarint(content, position)
        fields.setdefault(tag >> 3, []).append(content[position : position + length])
        position += length
    return fields


def test_every_field_has_a_text() -> None:
    silent = [
        f"{path}: {name}.{field}"
        for path in ("api/v1", "apis/networking.istio.io/v1", "apis/security.istio.io/v1", "apis/telemetry.istio.io/v1")
        for name, schema in document(path)["components"]["schemas"].items()
        for field, found in schema.get("properties", {}).items()
        if not found.get("description")
    ]
    assert silent == []
