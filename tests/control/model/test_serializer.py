"""Objects <-> resources."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.control.model.kinds import KINDS, SECRET, VIRTUAL_SERVICE, kind_at, kind_named, kind_of
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.model.resource import Resource
from pymesh.control.model.secret import Secret
from pymesh.control.model.serializer import decode, decode_stored, decode_with_warnings, encode
from pymesh.errors import ValidationError


def virtual_service(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "payment", **metadata},
        "spec": {
            "hosts": ["payment"],
            "http": [
                {
                    "route": [
                        {"destination": {"host": "payment", "subset": "v1"}, "weight": 100},
                        {"destination": {"host": "payment", "subset": "v2"}, "weight": 0},
                    ],
                    "retries": {"attempts": 0},
                }
            ],
        },
    }


def decode_or_none(fields: Any) -> Resource[Any] | None:
    try:
        return decode(fields)
    except ValidationError:
        return None


def violations(fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        decode(fields)
    return [str(violation) for violation in caught.value.violations]


def test_an_object_comes_back_as_it_was_written() -> None:
    fields = virtual_service(namespace="shop", labels={"a": "b"}, annotations={"c/d": "e"})
    assert encode(decode(fields)) == fields


def test_any_served_version_is_the_same_object() -> None:
    older = {**virtual_service(), "apiVersion": "networking.istio.io/v1alpha3"}
    assert decode(older) == decode(virtual_service())
    assert encode(decode(older), "networking.istio.io/v1beta1")["apiVersion"] == "networking.istio.io/v1beta1"


def test_an_object_without_namespace_gets_the_one_of_the_caller() -> None:
    assert decode(virtual_service(), "shop").namespace == "shop"
    assert decode(virtual_service(namespace="own"), "shop").namespace == "own"


def test_what_the_server_wrote_into_a_fetched_object_is_read() -> None:
    fetched = virtual_service(resourceVersion="7", uid="u", generation=3, creationTimestamp="t", managedFields=[{}])
    metadata = decode(fetched).metadata
    assert (metadata.resource_version, metadata.uid, metadata.generation) == ("7", "u", 3)
    assert "managedFields" not in encode(decode(fetched))["metadata"]


def test_string_data_becomes_data() -> None:
    secret = decode(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "data": {"a": "b2xk", "b": "a2VwdA=="},
            "stringData": {"a": "new"},
        }
    )
    assert secret.spec == Secret(data={"a": b"new", "b": b"kept"})
    assert encode(secret)["data"] == {"a": "bmV3", "b": "a2VwdA=="}
    assert "stringData" not in encode(secret)


def test_a_status_is_kept() -> None:
    entry = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"address": "10.0.0.1"},
        "status": {"conditions": [{"type": "Healthy", "status": "False"}]},
    }
    assert encode(decode(entry)) == entry


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (5, [".: must be an object with apiVersion and kind, not a number"]),
        ({"kind": "VirtualService"}, ["kind: apiVersion and kind are required"]),
        (
            {"apiVersion": "networking.istio.io/v2", "kind": "Gateway"},
            [
                "kind: pymesh does not know networking.istio.io/v2 Gateway; "
                "Gateway is served as networking.istio.io/{v1,v1beta1,v1alpha3}"
            ],
        ),
        ({**virtual_service(), "spce": {}}, ["spce: unknown field"]),
        (virtual_service(name="A_b"), ["metadata.name: must be a DNS name in lower case, not 'A_b'"]),
        (virtual_service(name=""), ["metadata.name: is required"]),
        (virtual_service(labels={"a": 5}), ["metadata.labels.a: must be a string, not a number"]),
        (virtual_service(label={}), ["metadata.label: unknown field; did you mean labels?"]),
        (
            virtual_service(ownerReferences=[{"name": "a"}]),
            [f"metadata.ownerReferences[0].{name}: is required" for name in ("apiVersion", "kind", "uid")],
        ),
        ({**virtual_service(), "status": 5}, ["status: must be an object, not a number"]),
        ({**virtual_service(), "spec": []}, ["spec: must be an object, not a list"]),
    ],
)
def test_what_is_wrong_around_the_spec_is_said(fields: Any, expected: list[str]) -> None:
    assert violations(fields) == expected


def test_what_is_stored_is_read_though_the_rules_have_become_stricter() -> None:
    fields = virtual_service()
    fields["spec"]["hosts"] = ["not valid any more"]
    with pytest.raises(ValidationError):
        decode(fields)
    assert decode_stored(fields).spec.hosts == ("not valid any more",)


def test_mesh_config_has_istios_defaults_and_refuses_what_it_does_not_know() -> None:
    mesh = decode_mesh_config({"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}})
    assert mesh.outbound_traffic_policy.mode == "REGISTRY_ONLY"
    assert (mesh.connect_timeout, mesh.enable_auto_mtls, mesh.root_namespace) == ("10s", True, "istio-system")
    with pytest.raises(ValidationError, match="unknown field"):
        decode_mesh_config({"dnsRefreshTime": "5s"})
    with pytest.raises(ValidationError, match="discoverySelectors: pymesh does not implement discoverySelectors"):
        decode_mesh_config({"discoverySelectors": [{}]})
    with pytest.raises(ValidationError, match="connectTimeout: must be a duration"):
        decode_mesh_config({"connectTimeout": "soon"})
    with pytest.raises(ValidationError, match=r"defaultServiceExportTo\[0\]: must be '.', '\*' or a namespace"):
        decode_mesh_config({"defaultServiceExportTo": ["Shop"]})


def test_mesh_config_says_how_many_traces_are_sampled_and_nothing_else_of_proxies() -> None:
    assert decode_mesh_config({}).default_config.tracing.sampling == 1
    assert decode_mesh_config({"defaultConfig": {"tracing": {"sampling": 100}}}).default_config.tracing.sampling == 100
    with pytest.raises(ValidationError, match=r"defaultConfig.tracing.sampling: must be 0\.\.100, not 101"):
        decode_mesh_config({"defaultConfig": {"tracing": {"sampling": 101}}})
    with pytest.raises(ValidationError, match=r"defaultConfig.tracing.zipkin.address: must be host:port"):
        decode_mesh_config({"defaultConfig": {"tracing": {"zipkin": {"address": "$(HOST_IP):zipkin"}}}})
    with pytest.raises(ValidationError, match=r"defaultConfig.tracing.tlsSettings: pymesh does not implement"):
        decode_mesh_config({"defaultConfig": {"tracing": {"tlsSettings": {"mode": "SIMPLE"}}}})
    otlp = {"service": "a.b", "port": 1, "resourceDetectors": {"environment": {}, "dynatrace": {}}}
    with pytest.raises(ValidationError, match=r"resourceDetectors.dynatrace {}"):
        decode_mesh_config({"extensionProviders": [{"name": "a", "opentelemetry": otlp}]})
    with pytest.raises(ValidationError, match=r"defaultConfig.concurrency: pymesh does not implement"):
        decode_mesh_config({"defaultConfig": {"concurrency": 2}})


# kinds


@pytest.mark.parametrize("word", ["vs", "VirtualService", "virtualservices", "virtualservice.networking.istio.io"])
def test_a_kind_has_many_names(word: str) -> None:
    assert kind_named(word) is VIRTUAL_SERVICE


def test_kinds_are_found_by_file_and_by_url() -> None:
    assert kind_of("networking.istio.io/v1beta1", "VirtualService") is VIRTUAL_SERVICE
    assert kind_of("v1", "VirtualService") is None
    assert kind_at("", "v1", "secrets") is SECRET
    assert kind_at("", "v2", "secrets") is None
    assert kind_named("pods") is None


# any JSON

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=12,
)
_FIELD_NAMES = [
    *("spec", "hosts", "http", "route", "match", "uri", "exact", "host", "port", "number", "tls", "mode", "ports"),
    *("destination", "weight", "servers", "data", "name", "labels", "selector", "trafficPolicy"),
]
api_values = st.recursive(
    json_values | st.sampled_from(["a", "STRICT", "1s", "80", "*"]),
    lambda children: (
        st.lists(children, max_size=2) | st.dictionaries(st.sampled_from(_FIELD_NAMES), children, max_size=4)
    ),
    max_leaves=20,
)


@given(st.sampled_from(KINDS), json_values | api_values, api_values, api_values)
def test_any_json_is_a_resource_or_a_validation_error(kind: Any, metadata: Any, spec: Any, status: Any) -> None:
    fields = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": spec, "status": status}
    if kind.is_inline and isinstance(spec, dict):
        fields = {**spec, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
    resource = decode_or_none(fields)
    assert resource is None or decode(encode(resource)) == resource


@given(json_values)
def test_any_json_at_all_is_a_resource_or_a_validation_error(fields: Any) -> None:
    with pytest.raises(ValidationError):
        decode(fields)
    with contextlib.suppress(ValidationError):
        decode_mesh_config(fields)


hosts = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True)
durations = st.integers(1, 10**6).map(lambda ms: f"{ms}ms")
string_matches = st.one_of(
    st.fixed_dictionaries({"exact": st.text(max_size=9)}),
    st.fixed_dictionaries({"prefix": st.text(min_size=1, max_size=9)}),
)
destinations = st.fixed_dictionaries(
    {"host": hosts}, optional={"port": st.fixed_dictionaries({"number": st.integers(1, 65535)})}
)
routes = st.fixed_dictionaries(
    {
        "route": st.lists(
            st.fixed_dictionaries({"destination": destinations, "weight": st.integers(1, 100)}), min_size=1, max_size=3
        )
    },
    optional={
        "timeout": durations,
        "match": st.lists(
            st.fixed_dictionaries({}, optional={"uri": string_matches, "ignoreUriCase": st.booleans()}), max_size=2
        ),
        "retries": st.fixed_dictionaries({"attempts": st.integers(1, 9)}, optional={"perTryTimeout": durations}),
        "mirrorPercentage": st.fixed_dictionaries({"value": st.floats(0.001, 100)}),
    },
)


@given(st.lists(hosts, min_size=1, max_size=3, unique=True), st.lists(routes, min_size=1, max_size=3))
def test_a_valid_virtual_service_survives_the_round_trip(names: list[str], http: list[dict[str, Any]]) -> None:
    fields = virtual_service(namespace="default")
    fields["spec"] = {"hosts": names, "http": http}
    resource = decode(fields)
    assert encode(resource) == fields
    assert decode(json.loads(json.dumps(encode(resource)))) == resource


# unknown fields and warnings


def test_unknown_fields_may_be_dropped_with_a_warning_or_without() -> None:
    fields = virtual_service(colour="red")
    fields["spec"]["http"][0]["route"][1]["wait"] = 1
    resource, warnings = decode_with_warnings(fields, field_validation="Warn")
    assert [str(warning) for warning in warnings] == [
        "metadata.colour: unknown field",
        "spec.http[0].route[1].wait: unknown field",
    ]
    assert encode(resource)["spec"] == virtual_service()["spec"]
    assert decode_with_warnings(fields, field_validation="Ignore").warnings == ()


def test_a_dropped_field_does_not_hide_what_is_wrong() -> None:
    fields = virtual_service()
    fields["spec"] |= {"hosts": ["a b"], "colour": "red"}
    with pytest.raises(ValidationError, match=r"spec\.hosts\[0\]: must be a DNS name"):
        decode_with_warnings(fields, field_validation="Ignore")


def test_an_object_of_a_kind_without_namespaces_has_none() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert decode(namespace, "default").key == ("Namespace", "", "shop")
    namespace["metadata"] = {"name": "shop", "namespace": "default"}
    assert violations(namespace) == ["metadata.namespace: must be empty, as a Namespace is in no namespace"]


def test_what_is_stored_and_not_obeyed_is_said() -> None:
    fields = {"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "x"}}
    fields["spec"] = {"url": "oci://x", "pluginConfig": {"anything": [1, {"a": None}]}}
    resource, warnings = decode_with_warnings(fields)
    assert resource.spec.plugin_config == {"anything": [1, {"a": None}]}
    assert [warning.path for warning in warnings] == ["spec"]


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": ["a"], "http": [5] * 200_000},
        {"hosts": ["a"], "http": [{f"field{number}": 1 for number in range(50_000)}]},
    ],
    ids=["types", "names"],
)
def test_an_object_with_countless_mistakes_is_told_the_first_thousand(spec: Any) -> None:
    fields = {**virtual_service(), "spec": spec}
    assert len(violations(fields)) <= 1001
    assert decode_or_none(fields) is None


def test_very_many_hosts_are_checked_for_overlap_in_time() -> None:
    fields = virtual_service()
    fields["spec"] |= {"gateways": ["gw"], "hosts": [f"*.h{number}.example.com" for number in range(20_000)]}
    fields["spec"]["hosts"] += ["*.example.com"]
    found = violations(fields)
    assert len(found) == 1000
    assert found[0] == "spec.hosts[0]: '*.h0.example.com' is part of '*.example.com'"
