"""MeshConfig of Istio's ConfigMap: what was not written for pymesh is a warning there."""

import pytest
import yaml

from pymesh.control.model.core import ConfigMap
from pymesh.control.model.manifest import InvalidDocumentsError, read_manifest
from pymesh.control.model.mesh_config_decoder import (
    ISTIOS_DEFAULTS,
    decode_mesh_config,
    decode_mesh_config_map,
    is_mesh_config_map,
)
from pymesh.errors import ValidationError

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    defaultConfig:
      discoveryAddress: istiod.istio-system.svc:15012
      noSuchField: 1
    configSources: []
    outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  meshNetworks: 'networks: {}'
"""


def test_what_pymesh_does_not_know_is_a_warning() -> None:
    (config_map,) = read_manifest(CONFIG_MAP, "istio.yaml").resources
    assert is_mesh_config_map(config_map)
    mesh, _, warnings = decode_mesh_config_map(config_map.spec)
    assert mesh.outbound_traffic_policy.mode == "REGISTRY_ONLY"
    assert [str(warning) for warning in warnings] == [
        "data.mesh.defaultConfig.noSuchField: unknown field",
        "data.mesh.configSources: unknown field",
        "data.mesh.defaultConfig.discoveryAddress: pymesh does not implement data.mesh.defaultConfig.discoveryAddress",
    ]


@pytest.mark.parametrize("text", ["connectTimeout: soon", "connectTimeout: [", "- 1"])
def test_what_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"ConfigMap istio-system/istio: data\.mesh"):
        decode_mesh_config_map(ConfigMap(data={"mesh": text}))


def test_a_provider_of_the_config_map_may_be_that_of_a_file_which_is_not_known_here() -> None:
    config_map = ConfigMap(data={"mesh": "defaultProviders: {accessLogging: [p]}"})
    assert [str(one) for one in decode_mesh_config_map(config_map).warnings] == [
        "data.mesh.defaultProviders.accessLogging[0]: 'p' is none of the extensionProviders: "
        "unless --mesh-config has it, all of this MeshConfig has no effect"
    ]
    with pytest.raises(ValidationError, match="'p' is none of the extensionProviders"):
        decode_mesh_config_map(config_map, ISTIOS_DEFAULTS)


QUOTED = """
extensionProviders:
- name: guard
  envoyExtAuthzHttp: {service: guard.default.svc.cluster.local, port: "8000"}
"""


def test_a_number_may_stand_in_quotes_as_in_istios_documentation() -> None:
    read = (decode_mesh_config_map(ConfigMap(data={"mesh": QUOTED})).mesh, decode_mesh_config(yaml.safe_load(QUOTED)))
    for mesh in read:
        authorizer = mesh.extension_providers[0].envoy_ext_authz_http
        assert authorizer is not None
        assert authorizer.port == 8000


PROTO_NAMES = """
outbound_traffic_policy: {mode: REGISTRY_ONLY}
mesh_mTLS: {min_protocol_version: TLSV1_3}
extension_providers:
- name: guard
  envoy_ext_authz_http:
    service: guard.default.svc.cluster.local
    port: 8000
    include_additional_headers_in_check: {x_as_it_is: "1"}
"""


def test_fields_may_have_the_names_of_the_proto() -> None:
    for mesh in (
        decode_mesh_config_map(ConfigMap(data={"mesh": PROTO_NAMES})).mesh,
        decode_mesh_config(yaml.safe_load(PROTO_NAMES)),
    ):
        assert mesh.outbound_traffic_policy.mode == "REGISTRY_ONLY"
        authorizer = mesh.extension_providers[0].envoy_ext_authz_http
        assert authorizer is not None
        assert authorizer.include_additional_headers_in_check == {"x_as_it_is": "1"}


def test_a_field_that_is_there_under_both_names_is_unknown_under_the_second() -> None:
    both = "connectTimeout: 1s\nconnect_timeout: 2s\n"
    mesh, _, warnings = decode_mesh_config_map(ConfigMap(data={"mesh": both}))
    assert mesh.connect_timeout == "1s"
    assert [warning.path for warning in warnings] == ["data.mesh.connect_timeout"]


@pytest.mark.parametrize("port", ['"80a"', '""', '"8.5"', '"99999999999999999999"', "true"])
def test_what_is_no_number_is_none_in_quotes(port: str) -> None:
    with pytest.raises(ValidationError, match=r"port: must be an integer"):
        decode_mesh_config_map(ConfigMap(data={"mesh": QUOTED.replace('"8000"', port)}))


def test_an_absent_key_is_the_defaults() -> None:
    assert decode_mesh_config_map(ConfigMap()).mesh.connect_timeout == "10s"


def test_the_config_map_is_checked_as_an_object() -> None:
    assert [warning.partition(": data")[2] for warning in read_manifest(CONFIG_MAP, "a.yaml").warnings] == [
        ".mesh.defaultConfig.noSuchField: unknown field",
        ".mesh.configSources: unknown field",
        ".mesh.defaultConfig.discoveryAddress: pymesh does not implement data.mesh.defaultConfig.discoveryAddress",
        ".meshNetworks: pymesh has one network; this has no effect",
    ]
    with pytest.raises(InvalidDocumentsError, match=r"data\.mesh\.outboundTrafficPolicy\.mode: must be one of"):
        read_manifest(CONFIG_MAP.replace("REGISTRY_ONLY", "NEVER"), "a.yaml")


def provider(text: str) -> str:
    return "{extensionProviders: [{name: a, " + text + "}]}"


@pytest.mark.parametrize(
    ("text", "violations"),
    [
        ("{connectTimeout: 2h}", ["connectTimeout: must not be longer than 3600s"]),
        ("{trustDomainAliases: ['a b']}", ["trustDomainAliases[0]: must be a DNS name, not 'a b'"]),
        ("{meshMTLS: {ecdhCurves: [P-256]}}", ["meshMTLS.ecdhCurves: is only supported in tlsDefaults"]),
        ("{defaultProviders: {tracing: [b]}}", ["defaultProviders.tracing[0]: 'b' is none of the extensionProviders"]),
        (
            "{defaultProviders: {tracing: [prometheus], metrics: [envoy]}}",
            [
                "defaultProviders.tracing[0]: 'prometheus' gets no traces, being of type prometheus",
                "defaultProviders.metrics[0]: 'envoy' gets no metrics, being of type envoyFileAccessLog",
            ],
        ),
        (
            "{extensionProviders: [{name: a, prometheus: {}}], defaultProviders: {accessLogging: [a, envoy]}}",
            ["defaultProviders.accessLogging[0]: 'a' gets no access logs, being of type prometheus"],
        ),
        (
            "{extensionProviders: [{}, {name: a, prometheus: {}}, {name: a, prometheus: {}}]}",
            [
                "extensionProviders[0].name: is required",
                "extensionProviders[0]: must have exactly one provider, as envoyExtAuthzHttp, opentelemetry, "
                "zipkin, ...",
                "extensionProviders: provider 'a' occurs twice",
            ],
        ),
        (
            provider(
                "envoyExtAuthzHttp: {service: A/b.c, pathPrefix: a, statusOnError: '99', "
                "headersToUpstreamOnAllow: ['*']}"
            ),
            [
                "extensionProviders[0].envoyExtAuthzHttp.service: 'A' is not a namespace",
                "extensionProviders[0].envoyExtAuthzHttp.port: must be a port, 1..65535, not 0",
                "extensionProviders[0].envoyExtAuthzHttp.statusOnError: must be an HTTP status, not '99'",
                "extensionProviders[0].envoyExtAuthzHttp.pathPrefix: must begin with /, not 'a'",
                "extensionProviders[0].envoyExtAuthzHttp.headersToUpstreamOnAllow[0]: "
                "must be a header, a*, or *a, not '*'",
            ],
        ),
        (
            provider("opentelemetry: {service: a, port: 4318, http: {path: v1}, grpc: {initialMetadata: [{name: b}]}}"),
            [
                "extensionProviders[0].opentelemetry: must have only one of http and grpc",
                "extensionProviders[0].opentelemetry.http.path: must begin with /, not 'v1'",
                "extensionProviders[0].opentelemetry.grpc.initialMetadata[0]: must have one of value and envName",
            ],
        ),
        (provider("zipkin: {port: 9411}"), ["extensionProviders[0].zipkin.service: is required"]),
        (
            provider("envoyFileAccessLog: {logFormat: {text: a, labels: {}}}"),
            ["extensionProviders[0].envoyFileAccessLog.logFormat: must have only one of text and labels"],
        ),
        (
            provider('envoyFileAccessLog: {logFormat: {labels: {a: {b: "%CEL(x)%"}}}}'),
            [
                "extensionProviders[0].envoyFileAccessLog.logFormat.labels: access log format: "
                "%CEL(x)% is not an operator of this proxy"
            ],
        ),
        (
            '{accessLogFormat: "100% of", accessLogEncoding: TEXT}',
            ["accessLogFormat: access log format: '100% of' has a % that begins no operator"],
        ),
        (
            '{accessLogFormat: "[1]", accessLogEncoding: JSON}',
            ["accessLogFormat: must be a JSON object, as accessLogEncoding is JSON"],
        ),
        (
            r"""{accessLogFormat: '{"a": "\ud800"}', accessLogEncoding: JSON}""",
            [
                "accessLogFormat: must be a JSON object, as accessLogEncoding is JSON: is not JSON: "
                r"\ud800 is half of a surrogate pair, and no character"
            ],
        ),
        (
            "{defaultConfig: {gatewayTopology: {numTrustedProxies: -1}, tracing: {sampling: 101}}}",
            [
                "defaultConfig.tracing.sampling: must be 0..100, not 101",
                "defaultConfig.gatewayTopology.numTrustedProxies: must be 0..2147483647, not -1",
            ],
        ),
        ("{localityLbSetting: {failover: [{from: a, to: a}]}}", ["localityLbSetting.failover[0]: must be two regions"]),
    ],
)
def test_a_mesh_config_that_istio_refuses_is_refused(text: str, violations: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        decode_mesh_config(yaml.safe_load(text))
    found = [str(one) for one in caught.value.violations if "does not implement" not in one.message]
    assert found == violations
