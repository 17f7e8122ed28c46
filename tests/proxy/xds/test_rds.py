import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.matchers.metadata_match import freeze_match
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.route import ClusterAction, DirectResponseAction, Mirror
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.xds.rds import decode_route_configuration

FAULT = "envoy.filters.http.fault"
ANY = {"prefix": "/"}


def decode_fault(reader):
    return reader.integer("percent")


def decode(config):
    reader = Reader({"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "rds", **config})
    decoded = decode_route_configuration(reader, {FAULT: decode_fault})
    reader.reject_unread()
    return decoded


def decode_route(route, **virtual_host):
    host = {"name": "host", "domains": ["*"], "routes": [{"match": ANY, **route}], **virtual_host}
    return decode({"virtual_hosts": [host]}).virtual_hosts[0].routes[0]


def decode_action(action, match=ANY):
    return decode_route({"match": match, "route": {"cluster": "a", **action}}).action


def fault(percent):
    return {"typed_per_filter_config": {FAULT: {"@type": "type.googleapis.com/HTTPFault", "percent": percent}}}


def added(name):
    header = {"header": {"key": name, "value": "1"}}
    return {"request_headers_to_add": [header], "response_headers_to_add": [header]}


def test_a_whole_configuration_is_decoded():
    config = decode(
        {
            "virtual_hosts": [
                {
                    "name": "shop.default.svc.cluster.local:80",
                    "domains": ["shop", "shop:80"],
                    "include_request_attempt_count": True,
                    "routes": [
                        {
                            "name": "tunnel",
                            "match": {"connect_matcher": {}},
                            "route": {
                                "cluster": "outbound|80||shop",
                                "timeout": "0s",
                                "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
                            },
                        },
                        {
                            "name": "canary",
                            "match": ANY,
                            "decorator": {"operation": "shop:80/*"},
                            "metadata": {"filter_metadata": {"istio": {"config": "/apis/x"}}},
                            "route": {
                                "weighted_clusters": {
                                    "clusters": [
                                        {"name": "v1", "weight": 80},
                                        {"name": "v2", "weight": 20, **added("x-v2")},
                                    ]
                                },
                                "timeout": "1.5s",
                                "idle_timeout": "0s",
                                "host_rewrite_literal": "other",
                                "request_mirror_policies": [
                                    {
                                        "cluster": "v3",
                                        "runtime_fraction": {
                                            "default_value": {"numerator": 125_000, "denominator": "MILLION"}
                                        },
                                        "trace_sampled": False,
                                        "disable_shadow_host_suffix_append": True,
                                    }
                                ],
                            },
                        },
                    ],
                }
            ],
            "ignore_port_in_host_matching": True,
            "validate_clusters": False,
        }
    )
    (host,) = config.virtual_hosts
    tunnel, canary = (route.action for route in host.routes)
    assert config.ignore_port_in_host_matching
    assert host.include_request_attempt_count
    assert host.routes[1].decorator == "shop:80/*"
    assert tunnel.is_connect
    assert tunnel.upgrades == {"connect"}
    assert tunnel.timeout is None
    assert (canary.timeout, canary.idle_timeout) == (1.5, 0.0)
    assert canary.choose_cluster(0.9).name == "v2"
    assert canary.choose_cluster(0.9).request_headers
    assert canary.mirrors == (Mirror("v3", 12.5, append_shadow_suffix=False),)
    assert canary.host_rewrite == b"other"


def test_a_route_may_have_high_priority():
    assert decode_action({"priority": "HIGH"}).is_high_priority


def test_a_weighted_cluster_adds_to_what_its_route_asks_of_endpoints():
    def asking(**metadata):
        return {"metadata_match": {"filter_metadata": {"envoy.lb": metadata, "other": {"a": 1}}}}

    clusters = [{"name": "v1", "weight": 1, **asking(version="v1", stage="dev")}, {"name": "v2", "weight": 1}]
    action = decode_action({"cluster": None, "weighted_clusters": {"clusters": clusters}, **asking(stage="prod", n=1)})
    first, second = action.clusters
    assert first.metadata_match == freeze_match({"n": 1.0, "stage": "dev", "version": "v1"})
    assert second.metadata_match == freeze_match({"n": 1, "stage": "prod"})


def test_envoys_defaults_are_set():
    action = decode_action({})
    assert action == ClusterAction(action.clusters, timeout=15.0, idle_timeout=None, cluster_not_found_code=503)
    assert action.clusters[0].name == "a"


def test_the_action_is_one_of_three():
    assert isinstance(decode_route({"redirect": {"host_redirect": "b"}}).action, RedirectAction)
    direct = {"status": 404, "body": {"inline_bytes": "aGk="}}
    assert decode_route({"direct_response": direct}).action == DirectResponseAction(404, b"hi")


def test_routes_inherit_from_the_levels_above():
    route = decode_route({"redirect": {"host_redirect": "b"}, **added("x-route")}, **added("x-host"), **fault(7))
    assert [change.add[0].name for change in route.request_headers.changes] == [b"x-route", b"x-host"]
    assert [change.add[0].name for change in route.response_headers.changes] == [b"x-route", b"x-host"]
    assert route.filter_configs == {FAULT: 7}


def test_the_nearest_filter_configuration_wins():
    assert decode_route({"redirect": {"host_redirect": "b"}, **fault(3)}, **fault(7)).filter_configs == {FAULT: 3}


def test_a_virtual_hosts_retry_policy_is_for_routes_without_one():
    host = {"retry_policy": {"num_retries": 7}}
    own = decode_route({"route": {"cluster": "a", "retry_policy": {"num_retries": 2}}}, **host)
    assert own.action.retry_policy.num_retries == 2
    assert decode_route({"route": {"cluster": "a"}}, **host).action.retry_policy.num_retries == 7


@pytest.mark.parametrize(
    ("match", "path", "expected"),
    [
        ({"prefix": "/v1"}, b"/v1/a?b", b"/new/a?b"),
        ({"path": "/v1/a"}, b"/v1/a?b", b"/new?b"),
        ({"safe_regex": {"regex": "/v1/.*"}}, b"/v1/a?b", b"/new?b"),
        ({"path_separated_prefix": "/v1"}, b"/v1/a", b"/new/a"),
    ],
)
def test_a_prefix_rewrite_replaces_what_the_match_found(match, path, expected):
    assert decode_action({"prefix_rewrite": "/new"}, match).rewrite_path(path) == expected


def test_equal_json_makes_equal_configurations():
    config = {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [{"match": ANY, "route": {"cluster": "a"}}]}]}
    assert decode(config) == decode(config)
    assert RouteTable(decode(config)).config == decode(config)


def hosts(*domains):
    return {"virtual_hosts": [{"name": "h", "domains": list(names)} for names in domains]}


def routes(*items):
    return {"virtual_hosts": [{"name": "h", "domains": ["*"], "routes": list(items)}]}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (hosts(["a"], ["b", "A"]), "virtual_hosts[1].domains: 'a' is empty, doubled or has a wrong wildcard"),
        (hosts(["a.*.b"]), "virtual_hosts[0].domains: 'a.*.b' is empty"),
        (hosts(["*a*"]), "virtual_hosts[0].domains: '*a*' is empty"),
        (hosts([]), "virtual_hosts[0].domains: is required"),
        ({"virtual_hosts": [{"domains": ["a"]}]}, "virtual_hosts[0].name: is required"),
        ({"vhds": {}}, "vhds: this proxy does not know the field"),
        (routes({"match": ANY}), "virtual_hosts[0].routes[0].action: one of route, redirect"),
        (routes({"route": {"cluster": "a"}}), "virtual_hosts[0].routes[0].match: is required"),
        (
            routes({"match": ANY, "route": {"cluster": "a"}, "redirect": {}}),
            "virtual_hosts[0].routes[0].redirect: cannot stand beside route",
        ),
        (
            routes({"match": ANY, "route": {}}),
            "virtual_hosts[0].routes[0].route.cluster_specifier: one of cluster and weighted_clusters",
        ),
        (
            routes({"match": ANY, "route": {"weighted_clusters": {"clusters": [{"name": "a"}]}}}),
            "virtual_hosts[0].routes[0].route.weighted_clusters.clusters: the weights must add up",
        ),
        (
            routes({"match": ANY, "route": {"cluster": "a", "rate_limits": []}}),
            "virtual_hosts[0].routes[0].route.rate_limits: this proxy does not know the field",
        ),
        (
            routes({"match": ANY, "direct_response": {"status": 200, "body": {"inline_string": "x" * 4097}}}),
            "virtual_hosts[0].routes[0].direct_response.body: is 4097 bytes long; the limit is 4096",
        ),
        (
            routes({"match": ANY, "direct_response": {"status": 99}}),
            "virtual_hosts[0].routes[0].direct_response.status: must be 200..599",
        ),
        (
            routes({"match": ANY, "route": {"cluster": "a"}, "typed_per_filter_config": {"nope": {"@type": "x"}}}),
            "virtual_hosts[0].routes[0].typed_per_filter_config.nope: is not a filter",
        ),
        (
            routes({"match": ANY, "route": {"cluster": "a", "regex_rewrite": {"pattern": {"regex": "("}}}}),
            "virtual_hosts[0].routes[0].route.regex_rewrite.pattern: not a regular expression",
        ),
    ],
)
def test_a_bad_configuration_is_refused_with_its_path(config, reason):
    with pytest.raises(DecodeError) as raised:
        decode(config)
    assert str(raised.value).startswith(reason)


def test_the_longest_stream_takes_the_place_of_the_timeout():
    action = decode_action({"timeout": "3s", "max_stream_duration": {"max_stream_duration": "60s"}})
    assert (action.timeout, action.max_stream_duration) == (None, 60.0)
    assert decode_action({}).max_stream_duration is None


def test_a_route_with_a_stream_duration_has_no_grpc_timeout_although_it_says_one():
    action = decode_action({"max_grpc_timeout": "3s", "max_stream_duration": {"max_stream_duration": "60s"}})
    assert action.max_grpc_timeout is None


def test_deadlines_of_grpc_are_the_timeout_or_the_longest_duration():
    action = decode_action({"timeout": "3s", "max_grpc_timeout": "0s"})
    assert (action.timeout, action.max_grpc_timeout, action.grpc_timeout_header_max) == (3.0, 0.0, None)
    action = decode_action({"timeout": "3s", "max_stream_duration": {"grpc_timeout_header_max": "5s"}})
    assert (action.timeout, action.max_grpc_timeout, action.grpc_timeout_header_max) == (None, None, 5.0)


def test_a_route_may_refuse_an_upgrade():
    action = decode_action(
        {"upgrade_configs": [{"upgrade_type": "WebSocket", "enabled": False}, {"upgrade_type": "x"}]}
    )
    assert (action.upgrades, action.refused_upgrades) == ({"x"}, {"websocket"})


@pytest.mark.parametrize(
    ("host", "route", "limit"),
    [
        ({}, {}, 1 << 20),
        ({"per_request_buffer_limit_bytes": 100}, {}, 100),
        ({"per_request_buffer_limit_bytes": 100}, {"per_request_buffer_limit_bytes": 200}, 200),
        ({"per_request_buffer_limit_bytes": 1 << 30}, {}, 1 << 20),
        ({"request_body_buffer_limit": str(1 << 30)}, {}, 1 << 30),
        ({}, {"per_request_buffer_limit_bytes": 0}, 0),
    ],
)
def test_the_nearest_level_says_how_much_of_a_body_is_kept(host, route, limit):
    assert decode_route({"route": {"cluster": "a"}, **route}, **host).action.buffer_limit == limit
