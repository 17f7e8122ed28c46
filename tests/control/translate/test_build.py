from pymesh.control.translate.build import build
from pymesh.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, TYPES, Address, Upstream

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
"""


def test_every_type_is_there_even_without_resources(view_of):
    assert set(build(view_of(""))) == set(TYPES)


def test_resources_stand_under_their_own_names(view_of):
    resources = build(view_of(SERVICE, app_port=8080, inbound=Address("0.0.0.0", 15006)))
    for type_url, found in resources.items():
        for name, resource in found.items():
            assert name == resource.get("name", resource.get("cluster_name"))
            assert resource["@type"] == type_url


def test_every_eds_cluster_has_its_endpoints_resource_even_without_endpoints(view_of):
    resources = build(view_of(SERVICE))
    eds = {name for name, cluster in resources[CLUSTER].items() if cluster.get("type") == "EDS"}
    assert eds == set(resources[ENDPOINT])


def test_proxies_of_one_scope_share_what_does_not_depend_on_them(view_of):
    view = view_of(SERVICE, app_port=8080, inbound=Address("0.0.0.0", 15006))
    other = type(view)(view.snapshot, view_of("", app_port=8081, inbound=Address("0.0.0.0", 15007)).node)
    one, two = build(view), build(other)
    name = "outbound|80||web.default.svc.cluster.local"
    assert one[CLUSTER][name] is two[CLUSTER][name]
    assert one[ROUTE]["http_proxy"] is two[ROUTE]["http_proxy"]
    assert "inbound|8080||" in one[CLUSTER]
    assert "inbound|8080||" not in two[CLUSTER]


def test_proxy_without_application_has_no_inbound_listener(view_of):
    assert list(build(view_of(SERVICE))[LISTENER]) == ["http_proxy"]


def test_outbound_listener_is_where_the_proxy_says(view_of):
    listener = build(view_of("", outbound=Address("127.0.0.2", 0)))[LISTENER]["http_proxy"]
    assert listener["address"] == {"socket_address": {"address": "127.0.0.2", "port_value": 0}}


def test_upstream_names_its_service_as_the_user_does(view_of):
    view = view_of(SERVICE, namespace="other", upstreams=(Upstream(9000, "web.default", 80),))
    (listener_filter,) = build(view)[LISTENER]["127.0.0.1_9000"]["filter_chains"][0]["filters"]
    assert listener_filter["typed_config"]["cluster"] == "outbound|80||web.default.svc.cluster.local"


def test_gateway_has_no_sidecars_listeners(view_of):
    resources = build(view_of(SERVICE, router=True, app_port=8080, inbound=Address("0.0.0.0", 15006)))
    assert resources[LISTENER] == {}
    assert "outbound|80||web.default.svc.cluster.local" in resources[CLUSTER]


def test_equal_snapshots_build_equal_resources(view_of):
    assert build(view_of(SERVICE)) == build(view_of(SERVICE))


TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: default, namespace: default}
spec:
  tracing:
  - {match: {mode: CLIENT}, randomSamplingPercentage: 25}
  - {match: {mode: SERVER}, disableSpanReporting: true}
"""


def sampled(listener):
    """Percent, of the listener's first filter chain."""
    manager = listener["filter_chains"][0]["filters"][-1]["typed_config"]
    return manager["tracing"]["random_sampling"]["value"]


def test_telemetry_says_how_much_each_direction_of_traffic_is_traced(view_of):
    ports = {"app_port": 8080, "inbound": Address("0.0.0.0", 15006)}
    listeners = build(view_of(TELEMETRY, **ports))[LISTENER]
    assert (sampled(listeners["http_proxy"]), sampled(listeners["virtualInbound"])) == (25.0, 0.0)
