"""JSON -> messages: every violation of a type, with its path."""

import pytest

from pymesh.control.model.destination_rule import OutlierDetection
from pymesh.control.model.kinds import KINDS
from pymesh.control.model.message_decoder import decode_message
from pymesh.control.model.messages import Message, StringMatch
from pymesh.control.model.peer_authentication import MutualTLS, PeerAuthentication
from pymesh.control.model.scope import Scope
from pymesh.control.model.secret import Secret
from pymesh.control.model.service import Service
from pymesh.control.model.virtual_service import HTTPMatchRequest, HTTPRoute, VirtualService


def violations(message_type: type[Message], value: object) -> list[str]:
    at = Scope()
    decode_message(message_type, value, at["spec"])
    return [str(violation) for violation in at.violations]


def test_all_violations_are_collected_with_their_paths() -> None:
    value = {
        "hosts": "payment",
        "http": [
            {"timeout": 5, "match": [None, {"uri": {"exact": 1, "prefx": "x"}}]},
            {"retries": {"attempts": "three"}, "match": [{"headers": {"x.y": {"prefix": []}}}]},
        ],
        "exportTo": [1],
        "gateway": ["a"],
    }
    assert violations(VirtualService, value) == [
        "spec.hosts: must be a list, not a string",
        "spec.http[0].timeout: must be a string, not a number",
        "spec.http[0].match[0]: must be an object, not null",
        "spec.http[0].match[1].uri.exact: must be a string, not a number",
        "spec.http[0].match[1].uri.prefx: unknown field; did you mean prefix?",
        "spec.http[1].retries.attempts: must be an integer, not a string",
        'spec.http[1].match[0].headers["x.y"].prefix: must be a string, not a list',
        "spec.exportTo[0]: must be a string, not a number",
        "spec.gateway: unknown field; did you mean gateways?",
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"consecutive5xxErrors": 1.5}, "spec.consecutive5xxErrors: must be an integer, not 1.5"),
        ({"consecutive5xxErrors": True}, "spec.consecutive5xxErrors: must be an integer, not a boolean"),
        ({"interval": {}}, "spec.interval: must be a string, not an object"),
        (
            {"splitExternalLocalOriginErrors": "yes"},
            "spec.splitExternalLocalOriginErrors: must be a boolean, not a string",
        ),
        (
            {"consecutive_5xx_errors": 1},
            "spec.consecutive_5xx_errors: unknown field; did you mean consecutive5xxErrors?",
        ),
        ([], "spec: must be an object, not a list"),
    ],
)
def test_a_wrong_type_is_named(value: object, message: str) -> None:
    assert violations(OutlierDetection, value) == [message]


def test_a_whole_float_is_an_integer() -> None:
    assert decode_message(OutlierDetection, {"consecutive5xxErrors": 3.0}, Scope()).consecutive_5xx_errors == 3


def test_null_is_absent() -> None:
    assert decode_message(HTTPRoute, {"retries": None, "timeout": None}, Scope()) == HTTPRoute()


def test_a_header_is_matched_for_presence_with_an_empty_object_and_not_with_null() -> None:
    match = decode_message(HTTPMatchRequest, {"headers": {"x-user": {}}}, Scope())
    assert match.headers == {"x-user": StringMatch()}
    assert violations(HTTPMatchRequest, {"headers": {"x-user": None}}) == [
        "spec.headers.x-user: must be an object, not null"
    ]


def test_maps_may_have_numbers_as_keys() -> None:
    spec = decode_message(PeerAuthentication, {"portLevelMtls": {"8080": {"mode": "STRICT"}}}, Scope())
    assert spec.port_level_mtls == {8080: MutualTLS(mode="STRICT")}
    assert violations(PeerAuthentication, {"portLevelMtls": {"http": {}}}) == [
        "spec.portLevelMtls: must be an object with numbers as keys, not http"
    ]


def test_enums_name_their_values() -> None:
    assert violations(MutualTLS, {"mode": "strict"}) == [
        "spec.mode: must be one of UNSET, DISABLE, PERMISSIVE, STRICT, not 'strict'"
    ]


def test_bytes_are_base64() -> None:
    assert decode_message(Secret, {"data": {"a": "aGk="}}, Scope()).data == {"a": b"hi"}
    assert violations(Secret, {"data": {"a": "h"}}) == ["spec.data.a: is not base64"]


def test_a_target_port_is_a_number_or_a_name() -> None:
    ports = [{"port": 1, "targetPort": 8080}, {"port": 2, "targetPort": "http"}]
    assert [port.target_port for port in decode_message(Service, {"ports": ports}, Scope()).ports] == [8080, "http"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_of_every_kind_has_a_decoder(kind: object) -> None:
    assert violations(kind.spec_type, {}) == []
