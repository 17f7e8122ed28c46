"""Rules of VirtualServices: a spec, and what is said of it."""

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]
Refuse = Callable[[str, str], list[str]]

_ROUTE = "route: [{destination: {host: a}}]"


def http(route: str) -> str:
    return "{hosts: [a], http: [{" + route + "}]}"


def routed(head: str) -> str:
    return "{" + head + ", http: [{" + _ROUTE + "}]}"


@pytest.mark.parametrize(
    "spec",
    [
        http(_ROUTE),
        routed("hosts: [a, b.ns, '*.example.com', 10.0.0.1], gateways: [mesh, gw, ns/gw, ./gw]"),
        routed("hosts: ['*'], gateways: [gw]"),
        http(
            "route: [{destination: {host: a, subset: v1, port: {number: 80}}, weight: 3}, "
            "{destination: {host: b}, weight: 0}]"
        ),
        http(f"match: [{{uri: {{prefix: /v1}}, method: {{exact: GET}}, ignoreUriCase: true}}, {{port: 80}}], {_ROUTE}"),
        http(f"match: [{{headers: {{x-user: {{}}, x-b: {{regex: 'a+'}}}}, withoutHeaders: {{x-c: {{}}}}}}], {_ROUTE}"),
        http(f"match: [{{headers: {{':authority': {{exact: a}}, ':path': {{prefix: /a}}, 'x.a~b': {{}}}}}}], {_ROUTE}"),
        http(
            f"match: [{{queryParams: {{q: {{exact: ''}}}}, sourceLabels: {{app: web}}, sourceNamespace: ns}}], {_ROUTE}"
        ),
        http("redirect: {uri: /b, authority: b, redirectCode: 308}"),
        http("redirect: {scheme: https, port: 8443}"),
        http("directResponse: {status: 503, body: {string: later}}"),
        http("rewrite: {uriRegexRewrite: {match: '^/(a|b)', rewrite: '/\\1'}}, " + _ROUTE),
        http("match: [{headers: {x-a: {regex: '*'}}, queryParams: {q: {regex: '*'}}}], " + _ROUTE),
        http(
            "headers: {request: {set: {x-a: '%REQ(:authority?x-b):9% 50%%', x-b: '%PROTOCOL%', host: a%b}}}, " + _ROUTE
        ),
        http(f"timeout: 0s, {_ROUTE}"),
        http(f"retries: {{attempts: 0}}, {_ROUTE}"),
        http(f"retries: {{attempts: 3, perTryTimeout: 250ms, retryOn: 'gateway-error, 503,reset'}}, {_ROUTE}"),
        http(f"fault: {{delay: {{fixedDelay: 5s, percentage: {{value: 0.1}}}}, abort: {{httpStatus: 500}}}}, {_ROUTE}"),
        http(f"mirror: {{host: b}}, mirrorPercentage: {{value: 50}}, {_ROUTE}"),
        http("headers: {request: {set: {host: b, x-a: c}, remove: [x-b]}, response: {add: {x-d: e}}}, " + _ROUTE),
        "{hosts: [outbound_.443_.v1_.a.ns.svc.cluster.local], gateways: [gw], tls: [{match: [{sniHosts: "
        "[outbound_.443_.v1_.a.ns.svc.cluster.local]}], route: [{destination: {host: a.ns.svc.cluster.local}}]}]}",
        "{hosts: [db], exportTo: [., other], tcp: [{match: [{port: 5432}], route: [{destination: {host: db}}]}]}",
    ],
)
def test_what_istio_takes_is_taken(spec: str, refuse: Refuse) -> None:
    assert refuse("vs", spec) == []


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        ("{hosts: [a]}", ["spec: must have at least one of http, tcp and tls"]),
        (routed("hosts: ['*']"), ["hosts[0]: '*' is only for gateways, not for the mesh"]),
        (routed("hosts: [a, a]"), ["hosts: host 'a' occurs twice"]),
        (routed("hosts: [a_b]"), ["hosts[0]: must be a DNS name, not 'a_b'"]),
        (routed("hosts: ['a.*.b']"), ["hosts[0]: must be a DNS name, not 'a.*.b'"]),
        (routed("hosts: [a.1]"), ["hosts[0]: 'a.1' has a numeric top-level domain"]),
        (routed("hosts: [a], gateways: [a/b/c]"), ["gateways[0]: 'a/b' is not a namespace"]),
        (routed("hosts: [a], exportTo: ['*', b]"), ["exportTo: '*' must stand alone"]),
        (routed("hosts: [a], exportTo: [., ns]"), ["exportTo: namespace 'ns' occurs twice"]),
        (http(""), ["http[0]: must have one of route, redirect and directResponse"]),
        (http(f"{_ROUTE}, redirect: {{uri: /}}"), ["http[0]: must have only one of route and redirect"]),
        (
            http("redirect: {uri: /}, fault: {abort: {httpStatus: 500}}"),
            ["http[0].fault: cannot stand beside redirect"],
        ),
        (http("redirect: {}"), ["http[0].redirect: must have at least one field"]),
        (http("redirect: {scheme: ftp}"), ["http[0].redirect.scheme: must be http or https, not 'ftp'"]),
        (
            http("redirect: {redirectCode: 200}"),
            ["http[0].redirect.redirectCode: must be one of 301, 302, 303, 307, 308"],
        ),
        (http("directResponse: {status: 99}"), ["http[0].directResponse.status: must be 200..599, not 99"]),
        (
            http("route: [{destination: {host: a}, weight: -1}]"),
            ["http[0].route[0].weight: must be 0..2147483647, not -1"],
        ),
        (
            http("route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]"),
            ["http[0].route: the weights of several destinations must not all be 0"],
        ),
        (http("route: [{}]"), ["http[0].route[0].destination: is required"]),
        (http("route: [{destination: {host: '*'}}]"), ["http[0].route[0].destination.host: must be a host, not '*'"]),
        (
            http("route: [{destination: {host: a, subset: V_1, port: {number: 0}}}]"),
            [
                "http[0].route[0].destination.subset: must be a name of letters, digits and '-', at most 63, not 'V_1'",
                "http[0].route[0].destination.port.number: must be a port, 1..65535, not 0",
            ],
        ),
        (
            http("match: [{uri: {}}], " + _ROUTE),
            ["http[0].match[0].uri: must have one of exact, prefix and regex"],
        ),
        (
            http("match: [{uri: {exact: /a, prefix: /b}}], " + _ROUTE),
            ["http[0].match[0].uri: must have only one of exact, prefix and regex, not exact and prefix"],
        ),
        (http("match: [{method: {prefix: ''}}], " + _ROUTE), ["http[0].match[0].method.prefix: must not be empty"]),
        (
            http("match: [{uri: {regex: '('}}], " + _ROUTE),
            ["http[0].match[0].uri.regex: must be an RE2 regex: missing ): ("],
        ),
        (
            http("match: [{uri: {regex: '(?=a)'}}], " + _ROUTE),
            ["http[0].match[0].uri.regex: must be an RE2 regex: invalid perl operator: (?="],
        ),
        (
            http("match: [{headers: {'x y': {exact: a}}}], " + _ROUTE),
            ["http[0].match[0].headers[\"x y\"]: 'x y' is not a header name"],
        ),
        (
            routed("hosts: [outbound_.443_._.a.ns]"),
            ["hosts[0]: must be a DNS name, not 'outbound_.443_._.a.ns'"],
        ),
        (
            routed("hosts: [outbound_.70000_._.a.ns, outbound_.443_._.a_b], gateways: [gw]"),
            [
                "hosts[0]: must be a port, 1..65535, not 70000",
                "hosts[1]: must be a DNS name, not 'a_b'",
            ],
        ),
        (
            http("match: [{headers: {x-user: null}}], " + _ROUTE),
            ["http[0].match[0].headers.x-user: must be an object, not null"],
        ),
        (
            http("match: [{headers: {':version': {exact: a}}}], " + _ROUTE),
            ["http[0].match[0].headers[\":version\"]: ':version' is not a header name"],
        ),
        (http("match: [{port: 70000}], " + _ROUTE), ["http[0].match[0].port: must be a port, 1..65535, not 70000"]),
        (
            http("match: [{sourceLabels: {app: 'a b'}}], " + _ROUTE),
            [
                "http[0].match[0].sourceLabels.app: 'a b' is not a label value "
                "(letters, digits, '-', '_', '.', at most 63)"
            ],
        ),
        (http("timeout: 5, " + _ROUTE), ["http[0].timeout: must be a string, not a number"]),
        (http("timeout: 1us, " + _ROUTE), ["http[0].timeout: must be whole milliseconds, >= 1ms"]),
        (
            http("retries: {attempts: 0, retryOn: 5xx}, " + _ROUTE),
            ["http[0].retries.attempts: 0 turns retries off; nothing else may be set"],
        ),
        (
            http("retries: {attempts: -1, retryOn: '5xx,often,999,retriable-headers'}, " + _ROUTE),
            [
                "http[0].retries.attempts: must be 0..2147483647, not -1",
                "http[0].retries.retryOn: unknown condition 'often'",
                "http[0].retries.retryOn: unknown condition '999'",
            ],
        ),
        (http("fault: {}, " + _ROUTE), ["http[0].fault: must have at least one of delay and abort"]),
        (
            http("fault: {delay: {percentage: {value: 101}}, abort: {}}, " + _ROUTE),
            [
                "http[0].fault.delay.percentage.value: must be 0 or 0.0001..100, not 101",
                "http[0].fault.delay.fixedDelay: is required",
            ],
        ),
        (http("rewrite: {}, " + _ROUTE), ["http[0].rewrite: must have one of uri, authority and uriRegexRewrite"]),
        (
            http("rewrite: {authority: b}, headers: {request: {set: {':authority': c}}}, " + _ROUTE),
            ["http[0].headers.request: the authority must be set only once"],
        ),
        (
            http("headers: {response: {set: {host: c, ':path': d}}, request: {remove: [Host]}}, " + _ROUTE),
            [
                "http[0].headers.request.remove[0]: 'Host' cannot be changed here",
                "http[0].headers.response.set.host: 'host' cannot be changed here",
                "http[0].headers.response.set[\":path\"]: ':path' cannot be changed here",
            ],
        ),
        (
            http('headers: {request: {add: {x-a: "b\\r\\nx-evil: 1"}}}, ' + _ROUTE),
            ["http[0].headers.request.add.x-a: must not contain control characters"],
        ),
        (
            http("headers: {response: {set: {x-a: 50%, x-b: '%START_TIME%', x-c: '%REQ(:path)%'}}}, " + _ROUTE),
            [
                "http[0].headers.response.set.x-a: has a single '%'; a percent sign is written %%",
                "http[0].headers.response.set.x-b: pymesh does not implement the operator %START_TIME%",
                "http[0].headers.response.set.x-c: pymesh does not implement the operator %REQ(:path)%",
            ],
        ),
        (
            http('redirect: {uri: "/a\\r\\nx-evil: 1", authority: "a\\nb"}'),
            [
                "http[0].redirect.uri: must not contain control characters",
                "http[0].redirect.authority: must not contain control characters",
            ],
        ),
        (
            http('rewrite: {uri: "/a HTTP/1.1\\r\\nx-evil: 1"}, ' + _ROUTE),
            ["http[0].rewrite.uri: must not contain control characters"],
        ),
        (
            http("rewrite: {uriRegexRewrite: {match: '^/(a)', rewrite: '/\\2'}}, " + _ROUTE),
            ["http[0].rewrite.uriRegexRewrite.rewrite: '/\\\\2' refers to a group that the regex does not have"],
        ),
        (
            http("match: [{uri: {regex: '*'}}], " + _ROUTE),
            ["http[0].match[0].uri.regex: must be an RE2 regex: no argument for repetition operator: *"],
        ),
        (
            http("mirror: {host: b}, mirrors: [{destination: {host: c}}], " + _ROUTE),
            ["http[0].mirror: cannot stand beside mirrors"],
        ),
        (http("mirrorPercent: 200, " + _ROUTE), ["http[0].mirrorPercent: must be 0..100, not 200"]),
        ("{hosts: [a], tcp: [{}]}", ["tcp[0].route: is required"]),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(spec: str, violations: list[str], refuse: Refuse) -> None:
    assert refuse("vs", spec) == violations


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (http("fault: {abort: {http2Error: NO_ERROR}}, " + _ROUTE), "http[0].fault.abort.http2Error"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(spec: str, path: str, refuse: Refuse) -> None:
    assert refuse("vs", spec) == [f"{path}: pymesh does not implement spec.{path}"]


def test_a_mistake_does_not_hide_the_others(refuse: Refuse) -> None:
    route = "route: [{destination: {host: a}, weigth: 80}, {destination: {host: b}, weight: x}], timeout: never"
    assert refuse("vs", http(route)) == [
        "http[0].route[0].weigth: unknown field; did you mean weight?",
        "http[0].route[1].weight: must be an integer, not a string",
        "http[0].timeout: must be a duration such as 1h, 30s or 250ms, not 'never'",
    ]


def test_what_cannot_be_read_does_not_move_what_is_behind_it(refuse: Refuse) -> None:
    assert refuse("vs", "{hosts: [5, a b], http: [none, {}]}") == [
        "hosts[0]: must be a string, not a number",
        "http[0]: must be an object, not a string",
        "hosts[1]: must be a DNS name, not 'a b'",
        "http[1]: must have one of route, redirect and directResponse",
    ]


def test_the_spec_is_typed(accept: Callable[[str, str], Any]) -> None:
    spec = accept("vs", http("retries: {attempts: 3, perTryTimeout: 2s}, match: [{ignoreUriCase: true}], " + _ROUTE))
    (route,) = spec.http
    assert (route.retries.attempts, route.retries.per_try_timeout) == (3, "2s")
    assert route.match[0].ignore_uri_case is True
    assert route.route[0].destination.host == "a"


def tls(match: str, hosts: str = "[a.example.com, '*.b.com']") -> str:
    return "{hosts: " + hosts + ", tls: [{match: [{" + match + "}], route: [{destination: {host: a}}]}]}"


def cors(text: str) -> str:
    return http("corsPolicy: {" + text + "}, " + _ROUTE)


@pytest.mark.parametrize(
    "spec",
    [
        "{http: [{name: of-a-delegate, " + _ROUTE + "}]}",
        http("delegate: {name: b, namespace: ns}, match: [{uri: {prefix: /b}}]"),
        tls("sniHosts: [a.example.com, x.b.com, '*.c.b.com'], port: 443, destinationSubnets: [10.0.0.0/8]"),
        cors("allowOrigins: [{exact: 'https://a'}, {regex: '.*'}], allowMethods: [GET], allowHeaders: ['*', x-a]"),
        cors("maxAge: 24h, allowCredentials: true, exposeHeaders: [x-b], unmatchedPreflights: IGNORE"),
        http("match: [{uri: {prefix: ''}}], " + _ROUTE),
        "{hosts: [a], gateways: [gw], http: [{match: [{headers: {'@request.auth.claims.sub': {exact: b}}}], "
        + _ROUTE
        + "}]}",
        "{hosts: [a], tcp: [{match: [{destinationSubnets: [10.0.0.1], sourceSubnet: 10.0.0.0/8}], " + _ROUTE + "}]}",
    ],
)
def test_what_istio_takes_is_valid_whether_or_not_pymesh_obeys_it(spec: str, check: Check) -> None:
    assert check("vs", spec) == ([], [])


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        (
            "{gateways: [gw], tcp: [{" + _ROUTE + "}]}",
            [
                "gateways: cannot stand in a VirtualService without hosts, which is a delegate",
                "tcp: cannot stand in a VirtualService without hosts, which is a delegate",
            ],
        ),
        (
            "{http: [{delegate: {name: b}}]}",
            ["http[0].delegate: cannot stand in a VirtualService without hosts, which is a delegate itself"],
        ),
        (
            http("delegate: {}, redirect: {uri: /}, " + _ROUTE),
            [
                "http[0].route: cannot stand beside delegate",
                "http[0].redirect: cannot stand beside delegate",
                "http[0].delegate.name: is required",
            ],
        ),
        (routed("hosts: ['*.com', a.com]"), ["hosts[1]: 'a.com' is part of '*.com'"]),
        (routed("hosts: ['*', a.com], gateways: [gw]"), ["hosts[1]: 'a.com' is part of '*'"]),
        (tls(""), ["tls[0].match[0].sniHosts: must have at least one host"]),
        ("{hosts: [a], tls: [{}]}", ["tls[0].match: must have at least one match", "tls[0].route: is required"]),
        (
            tls("sniHosts: [c.com, a_b]"),
            [
                "tls[0].match[0].sniHosts[0]: 'c.com' is not part of any of the VirtualService's hosts",
                "tls[0].match[0].sniHosts[1]: must be a DNS name, not 'a_b'",
                "tls[0].match[0].sniHosts[1]: 'a_b' is not part of any of the VirtualService's hosts",
            ],
        ),
        (
            cors("allowOrigins: [{}, {exact: ''}, {regex: '['}], allowMethods: [get], allowHeaders: ['a b']"),
            [
                "http[0].corsPolicy.allowOrigins[0]: must have one of exact, prefix and regex",
                "http[0].corsPolicy.allowOrigins[1]: must not be empty",
                "http[0].corsPolicy.allowOrigins[2].regex: must be an RE2 regex: missing ]: [",
                "http[0].corsPolicy.allowMethods[0]: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, CONNECT, "
                "OPTIONS, TRACE, not 'get'",
                "http[0].corsPolicy.allowHeaders[0]: 'a b' is not a header name",
            ],
        ),
        (cors("maxAge: 1500ms"), ["http[0].corsPolicy.maxAge: must be whole seconds"]),
        (
            http("match: [{headers: {'@request.auth.claims[sub]': {exact: b}}}], " + _ROUTE),
            [
                'http[0].match[0].headers["@request.auth.claims[sub]"]: '
                "claims of a JWT can only be matched by gateways, not by sidecars"
            ],
        ),
        (
            "{hosts: [a], gateways: [gw], http: [{match: [{headers: {'@request.auth.claims[sub': {exact: b}}}], "
            + _ROUTE
            + "}]}",
            ["http[0].match[0].headers[\"@request.auth.claims[sub\"]: '@request.auth.claims[sub' is not a header name"],
        ),
        (
            http(f"match: [{{uri: {{regex: '{'a' * 1025}'}}}}], {_ROUTE}"),
            ["http[0].match[0].uri.regex: must not be longer than 1024 characters"],
        ),
        (
            "{hosts: [a], tcp: [{match: [{sourceSubnet: here, destinationSubnets: [10.0.0.0/40]}], " + _ROUTE + "}]}",
            [
                "tcp[0].match[0].destinationSubnets[0]: must be an IP address or a CIDR block, not '10.0.0.0/40'",
                "tcp[0].match[0].sourceSubnet: must be an IP address or a CIDR block, not 'here'",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_invalid_whether_or_not_pymesh_obeys_the_field(
    spec: str, violations: list[str], check: Check
) -> None:
    assert check("vs", spec)[0] == violations
