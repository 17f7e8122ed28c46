"""Rules of AuthorizationPolicies: a spec, and what is said of it."""

from collections.abc import Callable

import pytest

from pymesh.control.model.serializer import decode
from pymesh.errors import ValidationError

Check = Callable[[str, str], tuple[list[str], list[str]]]


def source(text: str, action: str = "ALLOW") -> str:
    return "{action: " + action + ", rules: [{from: [{source: {" + text + "}}]}]}"


def operation(text: str) -> str:
    return "{rules: [{to: [{operation: {" + text + "}}]}]}"


def when(text: str) -> str:
    return "{rules: [{when: [{" + text + "}]}]}"


@pytest.mark.parametrize(
    "spec",
    [
        "{}",
        "{rules: [{}]}",
        "{action: DENY, rules: [{}]}",
        "{selector: {matchLabels: {app: a}}, rules: [{from: [{source: {namespaces: [a, 'b*']}}]}]}",
        "{action: CUSTOM, provider: {name: opa}, rules: [{to: [{operation: {paths: [/admin]}}]}]}",
        source("principals: ['*'], notPrincipals: [cluster.local/ns/a/sa/b]"),
        source("serviceAccounts: [a, ns/b]"),
        source("ipBlocks: [10.0.0.1, 10.0.0.0/8, '::1'], remoteIpBlocks: ['2001:db8::/32']"),
        operation("hosts: ['*.a.com'], ports: ['80', '0'], methods: [GET], paths: [/a*, '*/b', '/x/{*}/y/{**}/z']"),
        when("key: 'request.headers[X-A]', values: [a]"),
        when("key: source.ip, notValues: [10.0.0.0/8]"),
        when("key: 'request.auth.claims[a][b]', values: ['*']"),
        when("key: source.serviceAccount, values: [ns/a]"),
        when("key: 'experimental.envoy.filters.a.b[c]', values: [d]"),
    ],
)
def test_what_istio_takes_is_taken(spec: str, check: Check) -> None:
    assert check("authorizationpolicy", spec)[0] == []


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        ("{action: BLOCK}", ["action: must be one of ALLOW, DENY, AUDIT, CUSTOM, not 'BLOCK'"]),
        (
            "{action: DENY}",
            ["rules: are required with DENY: without rules it never matches; an empty rule {} matches every request"],
        ),
        ("{action: CUSTOM, rules: [{}]}", ["provider.name: is required with CUSTOM"]),
        ("{provider: {name: a}}", ["provider: cannot stand beside action ALLOW, only beside CUSTOM"]),
        (
            "{action: CUSTOM, provider: {name: a}, rules: [{from: [{source: {notNamespaces: [b]}}],"
            " when: [{key: 'request.auth.claims[a]', values: [b]}]}]}",
            [
                "rules[0].from[0].source.notNamespaces: is not supported with CUSTOM",
                "rules[0].when[0].key: request.auth.claims[a] is not supported with CUSTOM",
            ],
        ),
        ("{rules: [{from: [{}]}]}", ["rules[0].from[0].source: is required"]),
        ("{rules: [{to: [{}]}]}", ["rules[0].to[0].operation: is required"]),
        (source(""), ["rules[0].from[0].source: must have at least one field"]),
        (source("principals: ['']"), ["rules[0].from[0].source.principals[0]: must not be empty"]),
        (
            source("ipBlocks: [10.0.0.0/33]"),
            ["rules[0].from[0].source.ipBlocks[0]: must be an IP address or a CIDR block, not '10.0.0.0/33'"],
        ),
        (
            source("serviceAccounts: ['a*', a/b/c], principals: [d]"),
            [
                "rules[0].from[0].source.serviceAccounts: cannot stand beside principals and namespaces",
                "rules[0].from[0].source.serviceAccounts[0]: wildcards are not supported in service accounts",
                "rules[0].from[0].source.serviceAccounts[1]: must be ACCOUNT or NAMESPACE/ACCOUNT, not 'a/b/c'",
            ],
        ),
        (
            operation("ports: ['65536', http]"),
            [
                "rules[0].to[0].operation.ports[0]: must be a port, 0..65535, not '65536'",
                "rules[0].to[0].operation.ports[1]: must be a port, 0..65535, not 'http'",
            ],
        ),
        (
            operation("ports: [80], methods: [GET]"),
            ["rules[0].to[0].operation.ports[0]: must be a string, not a number"],
        ),
        (
            operation("paths: ['/a/{b}', '/{**}/{*}', '/{*}/b*', '/{*}/ü']"),
            [
                "rules[0].to[0].operation.paths[0]: '{b}' must be {*} or {**}, or have no braces",
                "rules[0].to[0].operation.paths[1]: {**} must be the last of the templates",
                "rules[0].to[0].operation.paths[2]: 'b*': '*' cannot stand beside a template",
                "rules[0].to[0].operation.paths[3]: 'ü' must not have such characters beside a template",
            ],
        ),
        (when("values: [a]"), ["rules[0].when[0].key: is required"]),
        (when("key: source.ip"), ["rules[0].when[0]: must have at least one of values and notValues"]),
        (
            when("key: source.ip, values: [here]"),
            ["rules[0].when[0].values[0]: must be an IP address or a CIDR block, not 'here'"],
        ),
        (
            when("key: destination.port, notValues: ['-1']"),
            ["rules[0].when[0].notValues[0]: must be a port, 0..65535, not '-1'"],
        ),
        (
            when("key: request.headers, values: [a]"),
            ["rules[0].when[0].key: must name what it means, as request.headers[NAME]"],
        ),
        (
            when("key: 'destination.labels[a]', values: [b]"),
            ["rules[0].when[0].key: destination.labels[a] is no longer supported: use the selector instead"],
        ),
        (
            "{selector: {matchLabels: {'a*': b}}, targetRef: {kind: Pod, name: ''}}",
            [
                "spec: must have only one of selector, targetRef and targetRefs",
                "selector.matchLabels.a*: wildcards are not supported in a selector",
                "targetRef.name: is required",
                "targetRef.kind: must be Service, ServiceEntry or Gateway, not /Pod",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(spec: str, violations: list[str], check: Check) -> None:
    found = check("authorizationpolicy", spec)[0]
    assert [one.replace('["a*"]', ".a*") for one in found] == violations


def test_an_unknown_attribute_is_told_those_that_are_known(check: Check) -> None:
    (violation,) = check("authorizationpolicy", when("key: source.name, values: [a]"))[0]
    assert violation.startswith("rules[0].when[0].key: unknown attribute 'source.name'; attributes are source.ip, ")


def test_a_deny_rule_that_takes_tcp_along_is_warned_of(check: Check) -> None:
    warning = "rules[0]: denies all TCP traffic, too, as it has only attributes of HTTP; name the ports that it is for"
    assert check("ap", source("requestPrincipals: ['*']", "DENY"))[1] == [warning]
    assert check("ap", "{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}")[1] == [warning]
    assert check("ap", "{action: DENY, rules: [{to: [{operation: {methods: [GET], ports: ['80']}}]}]}")[1] == []
    assert check("ap", source("namespaces: [a]", "DENY"))[1] == []


def test_an_empty_selector_is_warned_of(check: Check) -> None:
    assert check("ap", "{selector: {}}") == ([], ["selector.matchLabels: is empty: all workloads are selected"])


def test_an_audit_is_said_to_be_recorded_by_nobody(check: Check) -> None:
    assert check("ap", "{action: AUDIT, rules: [{}]}") == (
        [],
        ["action: AUDIT marks requests for an auditing plugin, of which there is none"],
    )


@pytest.mark.parametrize(
    ("kind", "value", "spec", "violation"),
    [
        ("AuthorizationPolicy", "true", {}, ""),
        ("AuthorizationPolicy", "maybe", {}, "must be true or false, not 'maybe'"),
        (
            "AuthorizationPolicy",
            "true",
            {"action": "CUSTOM", "provider": {"name": "a"}, "rules": [{}]},
            "pymesh does not implement istio.io/dry-run with CUSTOM",
        ),
        ("PeerAuthentication", "true", {}, "is only for an AuthorizationPolicy"),
    ],
)
def test_a_dry_run_is_for_what_can_be_tried(kind: str, value: str, spec: object, violation: str) -> None:
    metadata = {"name": "a", "annotations": {"istio.io/dry-run": value}}
    fields = {"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
    if not violation:
        assert decode(fields).name == "a"
        return
    with pytest.raises(ValidationError, match=violation):
        decode(fields)
