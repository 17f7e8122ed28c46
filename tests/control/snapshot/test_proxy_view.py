"""What a proxy sees: the traps of visibility and precedence, by their names."""

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s%s}\nspec: {ports: [{port: 80}]}\n---\n"
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec: {hosts: [%s], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec:
  hosts: [%s]
  exportTo: [%s]
  http: [{route: [{destination: {host: x.default.svc.cluster.local}}]}]
---
"""
DESTINATION = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec: {host: "%s", exportTo: ["%s"]%s}
---
"""
PAYMENT = SERVICE % ("payment", "shop", "")
PAYMENT_HOST = "payment.shop.svc.cluster.local"
OLD, NEW = "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z"


def _rule(view, host):
    rule = view.mesh_rules.most_specific(host)
    return rule.key.name if rule is not None else None


def _subsets(view):
    rule = view.destination_rule(view.service(PAYMENT_HOST))
    return [subset.name for subset in rule.subsets] if rule is not None else None


def _destination(name, namespace, created=OLD, host=PAYMENT_HOST, export="*", subset=""):
    more = f", subsets: [{{name: {subset or name}, labels: {{a: b}}}}]"
    return DESTINATION % (name, namespace, created, host, export, more)


def test_service_that_is_not_exported_is_not_seen(view_of):
    hidden = SERVICE % ("payment", "shop", ', annotations: {networking.istio.io/exportTo: "."}')
    assert view_of(hidden).service(PAYMENT_HOST) is None
    assert view_of(hidden, namespace="shop").service(PAYMENT_HOST) is not None


def test_same_host_config_namespace_beats_service_beats_oldest_entry(view_of):
    host = "payment.shop.svc.cluster.local"
    entries = ENTRY % ("old", "b", OLD, host) + ENTRY % ("new", "a", NEW, host)
    assert view_of(entries).service(host).namespace == "b"
    assert view_of(entries, namespace="a").service(host).namespace == "a"
    assert view_of(entries + PAYMENT).service(host).is_kubernetes
    assert view_of(entries + PAYMENT, namespace="a").service(host).namespace == "a"


def test_global_order_is_creation_time_then_name_then_namespace(view_of):
    rules = RULE % ("c", "default", OLD, "x.com", '"*"') + RULE % ("b", "default", OLD, "x.com", '"*"')
    assert _rule(view_of(rules + RULE % ("a", "default", NEW, "x.com", '"*"')), "x.com") == "b"


def test_same_host_in_two_virtual_services_oldest_wins_whole(view_of):
    rules = RULE % ("a", "default", NEW, "x.com", '"*"') + RULE % ("b", "default", OLD, "x.com", '"*"')
    assert _rule(view_of(rules), "x.com") == "b"


def test_private_virtual_service_beats_an_older_public_one(view_of):
    rules = RULE % ("public", "shop", OLD, "x.com", '"*"') + RULE % ("private", "default", NEW, "x.com", '"."')
    assert _rule(view_of(rules), "x.com") == "private"
    assert _rule(view_of(rules, namespace="other"), "x.com") == "public"


def test_exported_virtual_service_beats_an_older_public_one(view_of):
    rules = RULE % ("public", "shop", OLD, "x.com", '"*"') + RULE % ("exported", "a", NEW, "x.com", "default")
    assert _rule(view_of(rules), "x.com") == "exported"


def test_host_specificity_exact_beats_longest_wildcard(view_of):
    rules = RULE % ("wild", "default", OLD, '"*.com"', '"*"') + RULE % ("longer", "default", NEW, '"*.x.com"', '"*"')
    rules += RULE % ("exact", "default", NEW, "a.x.com", '"*"')
    view = view_of(rules)
    assert [_rule(view, host) for host in ("a.x.com", "b.x.com", "c.com")] == ["exact", "longer", "wild"]


def test_short_name_is_of_the_rules_namespace(view_of):
    rules = RULE % ("short", "shop", OLD, "payment", '"*"')
    assert _rule(view_of(rules), PAYMENT_HOST) == "short"
    assert _rule(view_of(rules), "payment.default.svc.cluster.local") is None


def test_gateway_names_are_resolved_in_the_rules_namespace(view_of):
    rule = RULE.replace("exportTo: [%s]", "gateways: [%s]")
    view = view_of(rule % ("a", "shop", OLD, "x.com", "edge, ./edge, other/edge, mesh"))
    bound = [bool(view.gateway_rules(name)) for name in ("shop/edge", "other/edge", "default/edge", "mesh")]
    assert bound == [True, True, False, True]


def test_destination_rule_is_the_clients_then_the_services_then_the_roots(view_of):
    client, service = _destination("client", "default"), _destination("service", "shop")
    root = _destination("root", "istio-system")
    assert _subsets(view_of(PAYMENT + client + service + root)) == ["client"]
    assert _subsets(view_of(PAYMENT + service + root)) == ["service"]
    assert _subsets(view_of(PAYMENT + root)) == ["root"]
    assert _subsets(view_of(PAYMENT)) is None


def test_first_namespace_with_any_match_stops_the_lookup(view_of):
    wild = _destination("wild", "default", host="*.shop.svc.cluster.local")
    assert _subsets(view_of(PAYMENT + wild + _destination("exact", "shop"))) == ["wild"]


def test_most_specific_destination_rule_of_a_namespace_wins(view_of):
    rules = _destination("wild", "shop", host="*.shop.svc.cluster.local") + _destination("exact", "shop", NEW)
    assert _subsets(view_of(PAYMENT + rules)) == ["exact"]


def test_destination_rule_that_is_not_exported_is_only_its_namespaces(view_of):
    rules = _destination("private", "shop", export=".") + _destination("root", "istio-system")
    assert _subsets(view_of(PAYMENT + rules)) == ["root"]
    assert _subsets(view_of(PAYMENT + rules, namespace="shop")) == ["private"]


def test_root_namespace_proxies_skip_their_public_rules_first(view_of):
    rules = _destination("root", "istio-system") + _destination("service", "shop")
    assert _subsets(view_of(PAYMENT + rules, namespace="istio-system")) == ["service"]
    private = _destination("private", "istio-system", export=".")
    assert _subsets(view_of(PAYMENT + private + rules, namespace="istio-system")) == ["private"]


def test_merged_destination_rules_concatenate_subsets_and_keep_the_first_of_a_name(view_of):
    rules = _destination("b", "shop", OLD, subset="v1") + _destination("c", "shop", NEW, subset="v2")
    rules += _destination("d", "shop", NEW, subset="v1")
    assert _subsets(view_of(PAYMENT + rules)) == ["v1", "v2"]


def test_merged_destination_rules_have_the_oldest_top_policy(view_of):
    policy = ", trafficPolicy: {loadBalancer: {simple: %s}}"
    rules = DESTINATION % ("new", "shop", NEW, PAYMENT_HOST, "*", policy % "RANDOM")
    rules += DESTINATION % ("old", "shop", OLD, PAYMENT_HOST, "*", policy % "ROUND_ROBIN")
    view = view_of(PAYMENT + rules)
    found = view.destination_rule(view.service(PAYMENT_HOST))
    assert found.traffic_policy.load_balancer.simple == "ROUND_ROBIN"


def test_destination_rules_with_other_export_are_not_merged(view_of):
    rules = _destination("old", "shop", OLD, subset="v1") + _destination("new", "shop", NEW, export="shop", subset="v2")
    assert _subsets(view_of(PAYMENT + rules)) == ["v1"]


def test_service_is_found_by_every_spelling_of_its_name(view_of):
    view = view_of(PAYMENT, namespace="shop")
    spellings = ("payment", "payment.shop", "payment.shop.svc", PAYMENT_HOST, "PAYMENT")
    assert all(view.service_named(name).host == PAYMENT_HOST for name in spellings)
    assert view.service_named("payment.elsewhere") is None


def test_proxies_that_no_rule_tells_apart_share_a_scope(view_of):
    assert view_of(PAYMENT, labels={"app": "a"}).scope == view_of(PAYMENT, labels={"app": "b"}).scope


def test_proxies_of_two_localities_share_a_scope_until_a_rule_depends_on_it(view_of):
    def are_alike(yaml, **mesh):
        return view_of(yaml, locality="eu", **mesh).scope == view_of(yaml, locality="us/ohio", **mesh).scope

    rule = PAYMENT + DESTINATION % ("payment", "shop", OLD, "payment", "*", ", trafficPolicy: {%s}")
    assert are_alike(PAYMENT)
    assert are_alike(rule % "loadBalancer: {simple: RANDOM}")
    assert not are_alike(rule % "outlierDetection: {}")
    assert not are_alike(rule % "loadBalancer: {localityLbSetting: {enabled: true}}")
    distribute = [{"from": "eu", "to": {"us": 100}}]
    assert not are_alike(PAYMENT, localityLbSetting={"distribute": distribute})


def test_labels_of_failover_priority_tell_proxies_apart(view_of):
    setting = ", trafficPolicy: {loadBalancer: {localityLbSetting: {failoverPriority: [tier=gold, zone]}}}"
    rule = PAYMENT + DESTINATION % ("payment", "shop", OLD, "payment", "*", setting)
    gold, silver = (view_of(rule, labels={"tier": tier}) for tier in ("gold", "silver"))
    assert gold.scope != silver.scope


SELECTING = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: shop, labels: {%s}, creationTimestamp: "%s"}
spec: {ports: [{port: 80}], selector: {app: %s}}
---
"""
AUTOMATIC = "pymesh.dev/managed-by: registry"


def _own(view_of, yaml, **told):
    service = view_of(yaml, namespace="shop", labels={"app": "payment"}, service="payment", **told).own_service
    return service.name if service is not None else None


def test_workload_counts_for_the_service_that_a_user_declared_for_it(view_of):
    automatic = SELECTING % ("payment", AUTOMATIC, OLD, "payment")
    declared = SELECTING % ("checkout", "", NEW, "payment")
    others = SELECTING % ("web", "", OLD, "web")
    assert _own(view_of, automatic + others) == "payment"
    assert _own(view_of, automatic + declared + others) == "checkout"


def test_of_several_declared_services_the_one_called_as_the_workload_was_started_goes_first(view_of):
    named, older = SELECTING % ("payment", "", NEW, "payment"), SELECTING % ("checkout", "", OLD, "payment")
    assert _own(view_of, named + older) == "payment"
    assert _own(view_of, older + SELECTING % ("checkout-2", "", NEW, "payment")) == "checkout"


def test_service_without_selector_has_the_workloads_that_were_started_under_its_name(view_of):
    assert _own(view_of, PAYMENT) == "payment"
    assert _own(view_of, SERVICE % ("web", "shop", "")) is None
