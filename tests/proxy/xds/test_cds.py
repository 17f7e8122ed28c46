from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.header_mutations import HeaderChange, HeaderMutations
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds, RetryBudget
from pymesh.proxy.upstream.cluster_config import ClusterConfig, Service, TcpKeepalive
from pymesh.proxy.upstream.dns import DnsConfig, FailureRefresh
from pymesh.proxy.upstream.dynamic_forward_proxy import DnsCacheConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HttpCheck, TcpCheck
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig
from pymesh.proxy.upstream.slow_start import SlowStartConfig
from pymesh.proxy.upstream.subset_config import SubsetConfig, SubsetSelector
from pymesh.proxy.xds.cds import decode_cluster

NAME = "outbound|80|v1|payment.default.svc.cluster.local"
UNLIMITED = 2**32 - 1
EXTENSIONS = "type.googleapis.com/envoy.extensions."
TLS = {
    "name": "envoy.transport_sockets.tls",
    "typed_config": {
        "@type": EXTENSIONS + "transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "outbound_.80_.v1_.payment.default.svc.cluster.local",
        "common_tls_context": {
            "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": {}}],
            "validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": {}},
        },
    },
}
EXTERNAL_TLS = {
    "typed_config": {
        "@type": EXTENSIONS + "transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"validation_context": {"system_root_certs": {}}},
    }
}
RAW = {"name": "raw", "typed_config": {"@type": EXTENSIONS + "transport_sockets.raw_buffer.v3.RawBuffer"}}
SOURCE = {"resource_api_version": "V3", "api_config_source": {"api_type": "REST", "cluster_names": ["pymesh-control"]}}


def decode(**fields) -> ClusterConfig:
    reader = Reader({"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": NAME, **fields})
    config = decode_cluster(reader)
    reader.reject_unread()
    return config


def assignment(host: str, port: int = 80) -> dict:
    address = {"socket_address": {"address": host, "port_value": port}}
    return {"cluster_name": NAME, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


HTTP_OPTIONS = "typed_extension_protocol_options.envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def http_options(**fields) -> dict:
    options = {"@type": EXTENSIONS + "upstreams.http.v3.HttpProtocolOptions"} | fields
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}


def forward_proxy(**cache) -> dict:
    typed = {
        "@type": EXTENSIONS + "clusters.dynamic_forward_proxy.v3.ClusterConfig",
        "dns_cache_config": {"name": "cache", "dns_lookup_family": "V4_PREFERRED", **cache},
    }
    cluster_type = {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": typed}
    return {"lb_policy": "CLUSTER_PROVIDED", "cluster_type": cluster_type}


def test_an_outbound_cluster_is_understood_whole():
    services = [{"host": "payment.default.svc.cluster.local", "name": "payment", "namespace": "default"}]
    config = decode(
        type="EDS",
        eds_cluster_config={"eds_config": SOURCE, "service_name": NAME},
        connect_timeout="10s",
        lb_policy="LEAST_REQUEST",
        circuit_breakers={"thresholds": [{"max_connections": UNLIMITED, "max_retries": 7, "track_remaining": True}]},
        metadata={"filter_metadata": {"istio": {"services": services, "subset": "v1"}}},
        common_lb_config={"healthy_panic_threshold": {"value": 0}},
        upstream_connection_options={"tcp_keepalive": {"keepalive_time": 300, "keepalive_probes": 3}},
    )
    assert config == ClusterConfig(
        NAME,
        type="EDS",
        service=Service("payment", "default", "payment.default.svc.cluster.local"),
        eds_service_name=NAME,
        connect_timeout=10.0,
        load_balancer=LoadBalancerConfig("LEAST_REQUEST"),
        circuit_breakers=CircuitBreakerThresholds(max_connections=UNLIMITED, max_retries=7, track_remaining=True),
        panic_threshold=0.0,
        tcp_keepalive=TcpKeepalive(3, 300, 0),
    )


def test_an_inbound_cluster_is_static():
    config = decode(type="STATIC", load_assignment=assignment("127.0.0.1", 8080))
    assert config.load_assignment == ClusterLoadAssignment(NAME, (EndpointConfig("127.0.0.1", 8080),))
    assert config.connect_timeout == 5.0


def test_a_cluster_without_a_type_is_static_as_in_envoy():
    assert decode() == ClusterConfig(NAME, type="STATIC")


def test_a_dns_cluster_says_how_often_it_resolves():
    config = decode(
        type="STRICT_DNS",
        dns_refresh_rate="60s",
        dns_lookup_family="V4_ONLY",
        respect_dns_ttl=True,
        dns_jitter="3s",
        dns_failure_refresh_rate={"base_interval": "2s"},
        load_assignment=assignment("db.example.com"),
    )
    assert config.dns == DnsConfig(60.0, "V4_ONLY", 3.0, FailureRefresh(2.0, 20.0))
    assert config.load_assignment.endpoints[0].host == "db.example.com"


def test_the_passthrough_cluster_is_a_dynamic_forward_proxy():
    config = decode(**forward_proxy(host_ttl="60s", max_hosts=10))
    assert config.type == "DYNAMIC_FORWARD_PROXY"
    assert config.dns_cache == DnsCacheConfig(DnsConfig(60.0, "V4_PREFERRED"), 60.0, 10)


TIMES = {"timeout": "1s", "interval": "5s", "unhealthy_threshold": 3, "healthy_threshold": 2}
CHECK = {**TIMES, "tcp_health_check": {}}


def checking(**fields: Any) -> dict[str, Any]:
    return {**TIMES, "http_health_check": {"path": "/healthz", **fields}}


SLOW_START = {
    "slow_start_window": "30s",
    "aggression": {"default_value": 2, "runtime_key": "a"},
    "min_weight_percent": {"value": 5},
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, LoadBalancerConfig("ROUND_ROBIN")),
        ({"lb_policy": "RANDOM"}, LoadBalancerConfig("RANDOM")),
        (
            {
                "lb_policy": "LEAST_REQUEST",
                "least_request_lb_config": {"choice_count": 4, "active_request_bias": {"default_value": 0.5}},
            },
            LoadBalancerConfig("LEAST_REQUEST", choice_count=4, active_request_bias=0.5),
        ),
        (
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": "2048"}},
            LoadBalancerConfig("RING_HASH", minimum_ring_size=2048),
        ),
        (
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"hash_function": "MURMUR_HASH_2"}},
            LoadBalancerConfig("RING_HASH", hash_function="MURMUR_HASH_2"),
        ),
        (
            {"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": 257}},
            LoadBalancerConfig("MAGLEV", table_size=257),
        ),
        (
            {"round_robin_lb_config": {"slow_start_config": {"slow_start_window": "60s"}}},
            LoadBalancerConfig(slow_start=SlowStartConfig(60.0)),
        ),
        (
            {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"slow_start_config": SLOW_START}},
            LoadBalancerConfig("LEAST_REQUEST", slow_start=SlowStartConfig(30.0, 2.0, 5.0)),
        ),
        ({"least_request_lb_config": {"slow_start_config": SLOW_START}}, LoadBalancerConfig()),
        ({"common_lb_config": {"locality_weighted_lb_config": {}}}, LoadBalancerConfig(is_locality_weighted=True)),
        (
            {"common_lb_config": {"zone_aware_lb_config": {"fail_traffic_on_panic": True}}},
            LoadBalancerConfig(fail_traffic_on_panic=True),
        ),
        (
            {
                "type": "STRICT_DNS",
                "common_lb_config": {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}},
            },
            LoadBalancerConfig(use_hostname_for_hashing=True),
        ),
        ({"lb_subset_config": {"fallback_policy": "ANY_ENDPOINT"}}, LoadBalancerConfig()),
        (
            {
                "lb_subset_config": {
                    "fallback_policy": "DEFAULT_SUBSET",
                    "default_subset": {"version": "v1"},
                    "subset_selectors": [
                        {
                            "keys": ["version", "stage"],
                            "fallback_policy": "KEYS_SUBSET",
                            "fallback_keys_subset": ["stage"],
                        },
                        {"keys": ["stage"]},
                    ],
                    "panic_mode_any": True,
                    "list_as_any": True,
                    "locality_weight_aware": True,
                }
            },
            LoadBalancerConfig(
                subsets=SubsetConfig(
                    selectors=(
                        SubsetSelector(("stage", "version"), "KEYS_SUBSET", ("stage",)),
                        SubsetSelector(("stage",)),
                    ),
                    fallback="DEFAULT_SUBSET",
                    default_subset={"version": "v1"},
                    is_panic_mode_any=True,
                    is_locality_weight_aware=True,
                    is_list_as_any=True,
                )
            ),
        ),
    ],
)
def test_load_balancers_are_read_with_their_settings(fields, expected):
    assert decode(**fields).load_balancer == expected


def test_outlier_detection_has_envoys_defaults():
    assert decode().outlier_detection is None
    assert decode(outlier_detection={}).outlier_detection == OutlierDetectionConfig()


def test_outlier_detection_is_read():
    fields = {
        "consecutive_5xx": 7,
        "enforcing_consecutive_gateway_failure": 100,
        "interval": "1s",
        "base_ejection_time": "180s",
        "max_ejection_percent": 100,
        "enforcing_success_rate": 0,
        "split_external_local_origin_errors": True,
    }
    expected = OutlierDetectionConfig(
        consecutive_5xx=7,
        enforcing_consecutive_gateway_failure=100,
        interval=1.0,
        base_ejection_time=180.0,
        max_ejection_percent=100,
        enforcing_success_rate=0,
        split_external_local_origin_errors=True,
    )
    assert decode(outlier_detection=fields).outlier_detection == expected


def test_circuit_breakers_are_those_of_two_priorities_and_the_first_of_each_counts():
    found = decode(
        circuit_breakers={
            "thresholds": [{"max_requests": 1}, {"priority": "HIGH", "max_requests": 2}, {"max_requests": 3}],
            "per_host_thresholds": [{"max_connections": 4}, {"max_connections": 5}],
        }
    )
    assert found.circuit_breakers == CircuitBreakerThresholds(max_requests=1, max_connections_per_host=4)
    assert found.high_priority_breakers == CircuitBreakerThresholds(max_requests=2)


def test_a_health_check_has_envoys_defaults():
    assert decode().health_check is None
    assert decode(health_checks=[CHECK]).health_check == HealthCheckConfig(
        TcpCheck(),
        timeout=1.0,
        interval=5.0,
        unhealthy_threshold=3,
        healthy_threshold=2,
        unhealthy_interval=5.0,
        unhealthy_edge_interval=5.0,
        healthy_edge_interval=5.0,
    )


def test_an_http_health_check_is_read():
    found = decode(
        health_checks=[
            {
                **checking(
                    host="shop",
                    method="PUT",
                    send={"text": "50494E47"},
                    receive=[{"text": "4f4b"}],
                    expected_statuses=[{"start": 200, "end": 300}],
                    retriable_statuses=[{"start": 500, "end": 600}],
                    request_headers_to_remove=["user-agent"],
                    service_name_matcher={"exact": "shop"},
                ),
                "unhealthy_interval": "2s",
                "healthy_edge_interval": "1s",
                "no_traffic_interval": "7s",
                "initial_jitter": "3s",
                "interval_jitter_percent": 10,
                "reuse_connection": False,
                "always_log_health_check_failures": True,
                "event_log_path": "/dev/null",
            }
        ],
        ignore_health_on_host_removal=True,
        common_lb_config={"ignore_new_hosts_until_first_hc": True},
    )
    assert found.health_check.check == HttpCheck(
        "/healthz",
        host="shop",
        method="PUT",
        send=b"PING",
        receive=(b"OK",),
        request_headers=HeaderMutations((HeaderChange((b"user-agent",)),)),
        expected_statuses=((200, 300),),
        retriable_statuses=((500, 600),),
        service_name=StringMatcher("exact", "shop"),
    )
    check = found.health_check
    assert (check.unhealthy_interval, check.unhealthy_edge_interval, check.healthy_edge_interval) == (2.0, 2.0, 1.0)
    assert (check.no_traffic_interval, check.no_traffic_healthy_interval) == (7.0, 7.0)
    assert (check.initial_jitter, check.interval_jitter_percent, check.reuse_connection) == (3.0, 10, False)
    assert (check.always_log_failures, check.event_log_path) == (True, "/dev/null")
    assert found.ignore_health_on_host_removal
    assert found.load_balancer.ignore_new_hosts_until_first_hc


def test_a_retry_budget_is_read():
    thresholds = [{"retry_budget": {"budget_percent": {"value": 25}}}]
    config = decode(circuit_breakers={"thresholds": thresholds})
    assert config.circuit_breakers.retry_budget == RetryBudget(25.0, 3)


def test_http_options_say_how_long_connections_last():
    options = {"idle_timeout": "30s", "max_requests_per_connection": 100, "max_connection_duration": "600s"}
    config = decode(
        **http_options(common_http_protocol_options=options, explicit_http_config={"http_protocol_options": {}})
    )
    assert (config.idle_timeout, config.max_requests_per_connection, config.max_connection_duration) == (30, 100, 600)


def test_auto_mtls_has_tls_for_endpoints_in_the_mesh():
    matches = [
        {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": TLS},
        {"name": "tlsMode-disabled", "match": {}, "transport_socket": RAW},
    ]
    sockets = decode(transport_socket_matches=matches).transport_sockets
    assert [match.match for match in sockets.matches] == [{"tlsMode": "istio"}, {}]
    assert sockets.matches[0].transport_socket.common.is_mesh
    assert sockets.matches[1].transport_socket is None
    assert sockets.default is None


def test_auto_san_validation_holds_for_every_tls_of_the_cluster():
    options = {"auto_sni": True, "auto_san_validation": True}
    config = decode(transport_socket=EXTERNAL_TLS, **http_options(upstream_http_protocol_options=options))
    assert config.transport_sockets.auto_sni
    assert config.transport_sockets.default.auto_sni_san_validation
    assert config.transport_sockets.default.common.validation.system_roots


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "name"),
        ({"type": "ORIGINAL_DST"}, "lb_policy"),
        ({"type": "EDS", "load_assignment": assignment("10.0.0.1")}, "load_assignment"),
        ({"type": "STATIC", "load_assignment": assignment("db.example.com")}, "load_assignment.endpoints"),
        ({"type": "LOGICAL_DNS", "load_assignment": {"cluster_name": NAME}}, "load_assignment.endpoints"),
        ({"type": "STATIC", **forward_proxy()}, "cluster_type"),
        ({"cluster_type": {"typed_config": {"@type": "other"}}}, "cluster_type.typed_config"),
        (forward_proxy(max_hosts=0), "cluster_type.typed_config.dns_cache_config.max_hosts"),
        ({"connect_timeout": "-1s"}, "connect_timeout"),
        ({"lb_policy": "OTHER"}, "lb_policy"),
        ({"least_request_lb_config": {"choice_count": 1}}, "least_request_lb_config.choice_count"),
        (
            {"least_request_lb_config": {"slow_start_config": {}}},
            "least_request_lb_config.slow_start_config.slow_start_window",
        ),
        (
            {
                "round_robin_lb_config": {
                    "slow_start_config": {"slow_start_window": "1s", "aggression": {"default_value": 0}}
                }
            },
            "round_robin_lb_config.slow_start_config.aggression",
        ),
        (
            {"lb_policy": "CLUSTER_PROVIDED", "lb_subset_config": {"subset_selectors": [{"keys": ["a"]}]}},
            "lb_subset_config",
        ),
        ({"lb_subset_config": {"subset_selectors": [{}]}}, "lb_subset_config.subset_selectors[0].keys"),
        (
            {"lb_subset_config": {"subset_selectors": [{"keys": ["a"], "single_host_per_subset": True}]}},
            "lb_subset_config.subset_selectors[0].single_host_per_subset",
        ),
        (
            {
                "lb_subset_config": {
                    "subset_selectors": [
                        {"keys": ["a"], "fallback_policy": "KEYS_SUBSET", "fallback_keys_subset": ["a"]}
                    ]
                }
            },
            "lb_subset_config.subset_selectors[0].fallback_keys_subset",
        ),
        (
            {"lb_subset_config": {"metadata_fallback_policy": "FALLBACK_LIST"}},
            "lb_subset_config.metadata_fallback_policy",
        ),
        ({"lb_subset_config": {"scale_locality_weight": True}}, "lb_subset_config.scale_locality_weight"),
        (
            {"common_lb_config": {"consistent_hashing_lb_config": {"hash_balance_factor": 150}}},
            "common_lb_config.consistent_hashing_lb_config.hash_balance_factor",
        ),
        (
            {"common_lb_config": {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}}},
            "common_lb_config.consistent_hashing_lb_config.use_hostname_for_hashing",
        ),
        ({"preconnect_policy": {}}, "preconnect_policy"),
        ({"close_connections_on_host_health_failure": True}, "close_connections_on_host_health_failure"),
        (
            {"type": "STRICT_DNS", "dns_failure_refresh_rate": {"base_interval": "2s", "max_interval": "1s"}},
            "dns_failure_refresh_rate.max_interval",
        ),
        ({"ring_hash_lb_config": {"minimum_ring_size": 2**24}}, "ring_hash_lb_config.minimum_ring_size"),
        ({"maglev_lb_config": {"table_size": 65536}}, "maglev_lb_config.table_size"),
        (
            {"common_lb_config": {"locality_weighted_lb_config": {}, "zone_aware_lb_config": {}}},
            "common_lb_config.locality_weighted_lb_config",
        ),
        ({"common_lb_config": {"healthy_panic_threshold": {"value": 101}}}, "common_lb_config.healthy_panic_threshold"),
        ({"outlier_detection": {"max_ejection_percent": 101}}, "outlier_detection.max_ejection_percent"),
        ({"outlier_detection": {"interval": "0s"}}, "outlier_detection.interval"),
        ({"outlier_detection": {"max_ejection_time": "29s"}}, "outlier_detection.max_ejection_time"),
        ({"outlier_detection": {"monitors": []}}, "outlier_detection.monitors"),
        ({"circuit_breakers": {"thresholds": [{"priority": "LOW"}]}}, "circuit_breakers.thresholds[0].priority"),
        (
            {"circuit_breakers": {"per_host_thresholds": [{"max_retries": 1}]}},
            "circuit_breakers.per_host_thresholds[0].max_retries",
        ),
        ({"health_checks": [{}]}, "health_checks[0].interval"),
        ({"health_checks": [CHECK, CHECK]}, "health_checks"),
        ({"health_checks": [{**CHECK, "timeout": "0s"}]}, "health_checks[0].timeout"),
        ({"health_checks": [{**CHECK, "healthy_threshold": 0}]}, "health_checks[0].healthy_threshold"),
        ({"health_checks": [{**TIMES, "grpc_health_check": {}}]}, "health_checks[0].grpc_health_check"),
        ({"health_checks": [{**CHECK, "tls_options": {}}]}, "health_checks[0].tls_options"),
        ({"health_checks": [checking(path="/a b")]}, "health_checks[0].http_health_check.path"),
        (
            {"health_checks": [checking(codec_client_type="HTTP2")]},
            "health_checks[0].http_health_check.codec_client_type",
        ),
        ({"health_checks": [checking(send={"text": "00"})]}, "health_checks[0].http_health_check.send"),
        ({"health_checks": [checking(receive=[{"text": "x"}])]}, "health_checks[0].http_health_check.receive[0].text"),
        (
            {"health_checks": [checking(expected_statuses=[{"start": 200, "end": 200}])]},
            "health_checks[0].http_health_check.expected_statuses[0].start",
        ),
        ({"transport_socket": {"name": "x"}}, "transport_socket.typed_config"),
        ({"transport_socket": {"typed_config": {"@type": "x"}}}, "transport_socket.typed_config.@type"),
        (
            http_options(explicit_http_config={"http2_protocol_options": {"allow_connect": True}}),
            f"{HTTP_OPTIONS}.explicit_http_config.http2_protocol_options.allow_connect",
        ),
        (
            http_options(use_downstream_protocol_config={"http2_protocol_options": {"max_concurrent_streams": 0}}),
            f"{HTTP_OPTIONS}.use_downstream_protocol_config.http2_protocol_options.max_concurrent_streams",
        ),
        (
            http_options(explicit_http_config={"http2_protocol_options": {"connection_keepalive": {}}}),
            f"{HTTP_OPTIONS}.explicit_http_config.http2_protocol_options.connection_keepalive.timeout",
        ),
        (
            http_options(auto_config={}),
            f"{HTTP_OPTIONS}.auto_config",
        ),
    ],
)
def test_what_cannot_be_obeyed_is_rejected_by_its_path(fields, path):
    with pytest.raises(DecodeError) as error:
        decode(**fields)
    assert error.value.path == path


@pytest.mark.parametrize(
    ("fields", "protocol", "streams", "keepalive"),
    [
        ({}, UpstreamProtocol.HTTP1, 1024, (0.0, 0.0)),
        (http_options(explicit_http_config={"http_protocol_options": {}}), UpstreamProtocol.HTTP1, 1024, (0.0, 0.0)),
        (
            http_options(
                explicit_http_config={
                    "http2_protocol_options": {
                        "max_concurrent_streams": 7,
                        "connection_keepalive": {"interval": "30s", "timeout": "5s"},
                    }
                }
            ),
            UpstreamProtocol.HTTP2,
            7,
            (30.0, 5.0),
        ),
        (
            http_options(use_downstream_protocol_config={"http_protocol_options": {}, "http2_protocol_options": {}}),
            UpstreamProtocol.DOWNSTREAM,
            1024,
            (0.0, 0.0),
        ),
        (
            http_options(use_downstream_protocol_config={"http_protocol_options": {}}),
            UpstreamProtocol.HTTP1,
            1024,
            (0.0, 0.0),
        ),
    ],
)
def test_the_protocol_of_a_cluster(fields, protocol, streams, keepalive):
    config = decode(**fields)
    assert config.protocol is protocol
    assert config.http2.max_concurrent_streams == streams
    assert (config.http2.keepalive_interval, config.http2.keepalive_timeout) == keepalive
