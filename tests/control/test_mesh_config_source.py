"""Which MeshConfig is in force: that of the start, and over it the stored ConfigMap."""

import logging

import pytest

from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.model.core import ConfigMap
from pymesh.control.model.kinds import CONFIG_MAP
from pymesh.control.model.mesh_config_decoder import DecodedMeshConfig, decode_mesh_config
from pymesh.control.model.resource import Metadata, Resource


def config_map(text: str) -> Resource[ConfigMap]:
    metadata = Metadata(name="istio", namespace="istio-system")
    return Resource(kind=CONFIG_MAP, metadata=metadata, spec=ConfigMap(data={"mesh": text}))


def source_of(**fields: object) -> MeshConfigSource:
    return MeshConfigSource(DecodedMeshConfig(decode_mesh_config(fields), fields, ()))


def test_the_stored_config_map_holds_over_the_file_field_by_field() -> None:
    source = source_of(connectTimeout="3s", accessLogFile="/dev/stdout")
    source.update(config_map("connectTimeout: 5s\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"))
    assert source.mesh.connect_timeout == "5s"
    assert source.mesh.access_log_file == "/dev/stdout"
    assert source.mesh.outbound_traffic_policy.mode == "REGISTRY_ONLY"


def test_without_the_config_map_the_file_holds_again() -> None:
    source = source_of(connectTimeout="3s")
    source.update(config_map("connectTimeout: 5s"))
    source.update(None)
    assert source.mesh.connect_timeout == "3s"


def test_a_block_replaces_a_block_but_providers_merge_by_name() -> None:
    log = {"name": "log", "envoyFileAccessLog": {"path": "/a"}}
    other = {"name": "other", "envoyFileAccessLog": {"path": "/b"}}
    source = source_of(
        extensionProviders=[log, other],
        defaultProviders={"accessLogging": ["log"]},
        localityLbSetting={"enabled": False, "failoverPriority": ["a"]},
    )
    source.update(
        config_map(
            "extensionProviders: [{name: log, envoyFileAccessLog: {path: /c}}]\n"
            "defaultProviders: {metrics: [prometheus]}\nlocalityLbSetting: {enabled: false}\n"
        )
    )
    paths = [one.envoy_file_access_log.path for one in source.mesh.extension_providers if one.envoy_file_access_log]
    assert paths == ["/c", "/b"]
    assert source.mesh.default_providers is not None
    assert source.mesh.default_providers.access_logging == ("log",)
    assert source.mesh.locality_lb_setting.failover_priority == ()


def test_a_bad_stored_value_keeps_the_last_good_one(caplog: pytest.LogCaptureFixture) -> None:
    source = MeshConfigSource()
    source.update(config_map("connectTimeout: 5s"))
    with caplog.at_level(logging.ERROR):
        source.update(config_map("connectTimeout: soon"))
    assert source.mesh.connect_timeout == "5s"
    assert "data.mesh.connectTimeout: must be a duration" in caplog.text


def test_the_config_map_may_name_a_provider_of_the_file() -> None:
    source = source_of(extensionProviders=[{"name": "p", "envoyFileAccessLog": {"path": "/a"}}])
    source.update(config_map("defaultProviders: {accessLogging: [p]}"))
    assert source.mesh.default_providers is not None
    assert source.mesh.default_providers.access_logging == ("p",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaultProviders: {tracing: [none]}", "tracing[0]: 'none' is none of the extensionProviders"),
        (
            "extensionProviders: [{name: p, prometheus: {}}]",
            "accessLogging[0]: 'p' gets no access logs, being of type prometheus",
        ),
    ],
)
def test_what_only_both_together_have_wrong_keeps_the_last_good_one(
    text: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = source_of(
        extensionProviders=[{"name": "p", "envoyFileAccessLog": {}}], defaultProviders={"accessLogging": ["p"]}
    )
    source.update(config_map("connectTimeout: 5s"))
    with caplog.at_level(logging.ERROR):
        source.update(config_map(f"connectTimeout: 6s\n{text}"))
    assert source.mesh.connect_timeout == "5s"
    assert message in caplog.text


def test_an_unknown_name_in_the_base_is_not_ignored(caplog: pytest.LogCaptureFixture) -> None:
    source = MeshConfigSource(DecodedMeshConfig(decode_mesh_config({}), {"no_such_field": 1}, ()))
    with caplog.at_level(logging.ERROR):
        source.update(config_map("connectTimeout: 5s"))
    assert "no_such_field: unknown field" in caplog.text
