"""What is valid and yet perhaps not what its author expects: a spec, and the warnings of it."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]

_ROUTE = "route: [{destination: {host: a}}]"


def http(*routes: str) -> str:
    return "{hosts: [a], http: [" + ", ".join("{" + route + "}" for route in routes) + "]}"


def matched(match: str) -> str:
    return f"match: [{match}], {_ROUTE}"


def policy(text: str) -> str:
    return "{host: a, trafficPolicy: {" + text + "}}"


def server(text: str) -> str:
    return "{servers: [{hosts: ['*'], " + text + "}]}"


_HTTPS = "port: {number: 443, name: https, protocol: HTTPS}, tls: "


@pytest.mark.parametrize(
    ("kind", "spec", "warnings"),
    [
        ("vs", http("mirrorPercent: 10, " + _ROUTE), ["http[0].mirrorPercent: is deprecated; use mirrorPercentage"]),
        (
            "vs",
            http("fault: {abort: {percentage: {value: 1}}}, " + _ROUTE),
            ["http[0].fault.abort: has no effect without httpStatus or grpcStatus"],
        ),
        (
            "vs",
            http("websocketUpgrade: true, " + _ROUTE),
            ["http[0].websocketUpgrade: has no effect: WebSockets pass without it"],
        ),
        (
            "vs",
            "{hosts: [a], gateways: [gw.ns.svc.cluster.local], http: [{" + _ROUTE + "}]}",
            ["gateways[0]: is the older form; write ns/gw"],
        ),
        (
            "vs",
            http("corsPolicy: {allowOrigin: [a]}, " + _ROUTE),
            ["http[0].corsPolicy.allowOrigin: is deprecated; use allowOrigins"],
        ),
        (
            "vs",
            "{hosts: ['*'], gateways: [gw], tls: [{match: [{sniHosts: [10.0.0.1]}], " + _ROUTE + "}]}",
            [
                "tls[0].match[0].sniHosts[0]: 10.0.0.1 is an IP address, which clients do not send as a server name "
                "(RFC 6066)"
            ],
        ),
        (
            "dr",
            policy("outlierDetection: {consecutiveErrors: 3}"),
            [
                "trafficPolicy.outlierDetection.consecutiveErrors: is deprecated; use consecutive5xxErrors or "
                "consecutiveGatewayErrors"
            ],
        ),
        (
            "dr",
            policy("loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 10}}"),
            ["trafficPolicy.loadBalancer.consistentHash.minimumRingSize: is deprecated; use ringHash.minimumRingSize"],
        ),
        (
            "dr",
            policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}"),
            [
                "trafficPolicy.loadBalancer.localityLbSetting: needs outlierDetection, or endpoints never fail over",
            ],
        ),
        (
            "dr",
            policy("tls: {mode: ISTIO_MUTUAL, privateKey: /k}"),
            ["trafficPolicy.tls.privateKey: has no effect with ISTIO_MUTUAL"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, credentialName: a, privateKey: /k}"),
            ["servers[0].tls.privateKey: has no effect beside credentialName"],
        ),
        (
            "gw",
            server(
                _HTTPS
                + "{mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, privateKey: /k, caCertificates: /x}]}"
            ),
            [
                "servers[0].tls.tlsCertificates[0].caCertificates: has no effect; "
                "clients are verified with tls.caCertificates"
            ],
        ),
        (
            "gw",
            server("port: {number: 80, name: a, protocol: GRPC-WEB}"),
            ["servers[0].port.protocol: pymesh passes gRPC-Web on as it is, and makes no gRPC of it"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: PASSTHROUGH, credentialName: a}"),
            ["servers[0].tls.credentialName: has no effect with PASSTHROUGH"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, credentialName: a, cipherSuites: [RC4, AES128-SHA, AES128-SHA, '-X']}"),
            [
                "servers[0].tls.cipherSuites[0]: 'RC4' is not a cipher suite and has no effect",
                "servers[0].tls.cipherSuites[2]: 'AES128-SHA' occurs twice",
            ],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_1}"),
            ["servers[0].tls.minProtocolVersion: needs cipherSuites: those of today do not work below TLSV1_2"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, credentialName: a, httpsRedirect: true}"),
            ["servers[0].tls.httpsRedirect: is for servers of HTTP, not of HTTPS"],
        ),
        (
            "se",
            "{hosts: ['*a.com'], ports: [{number: 80, name: a, targetPort: 81, protocol: HTTP}]}",
            ["hosts[0]: '*a.com': a wildcard that is a part of a label matches no host"],
        ),
        (
            "se",
            "{hosts: [a.com], workloadSelector: {labels: {app: a}}}",
            ["workloadSelector: should not stand beside resolution NONE"],
        ),
        (
            "se",
            "{hosts: [a.com], ports: [{number: 80, name: a}, {number: 81, name: b, protocol: TCP}]}",
            [
                "ports[0]: addresses are required for a port of TCP, or of no protocol",
                "ports[1]: addresses are required for a port of TCP, or of no protocol",
            ],
        ),
        ("se", "{hosts: [a.com], addresses: [10.0.0.1], ports: [{number: 80, name: a}]}", []),
        (
            "se",
            "{hosts: [a.com, b.com], addresses: [10.0.0.1], resolution: DNS, "
            "ports: [{number: 443, name: a, protocol: TLS}]}",
            ["addresses: connections to an address that several hosts share are all taken for the first of them"],
        ),
        ("pa", "{selector: {}}", ["selector.matchLabels: is empty: all workloads are selected"]),
    ],
)
def test_what_istio_warns_of_is_warned_of(kind: str, spec: str, warnings: list[str], check: Check) -> None:
    assert check(kind, spec) == ([], warnings)


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        (http(_ROUTE, matched("{port: 80}")), ["http[1]: is never reached: route 0 before it matches everything"]),
        (
            http(matched("{uri: {prefix: /a}, name: one}"), matched("{uri: {prefix: /a}, name: two}")),
            ["http[1]: is never reached: all that it matches goes to route 0 before it"],
        ),
        (
            http(matched("{uri: {prefix: /a}}"), matched("{uri: {exact: /ab}}, {uri: {exact: /c}}")),
            ["http[1].match[0]: has no effect: what it matches goes to route 0"],
        ),
        (
            http(matched("{uri: {prefix: /a}}"), matched("{uri: {prefix: /a/b}, method: {exact: GET}}")),
            ["http[1]: is never reached: all that it matches goes to route 0 before it"],
        ),
        (http(matched("{uri: {prefix: /a}, port: 80}"), matched("{uri: {prefix: /a/b}}")), []),
        (http(matched("{uri: {exact: /a}}"), matched("{uri: {prefix: /a}}")), []),
        (http(matched("{uri: {prefix: /a}}"), matched("{uri: {prefix: /A}, ignoreUriCase: true}")), []),
        (http("match: [{uri: {prefix: /a}}], delegate: {name: b}", matched("{uri: {prefix: /a/b}}"), _ROUTE), []),
        (
            "{hosts: [a], tcp: [{match: [{port: 1}], "
            + _ROUTE
            + "}, {match: [{port: 1}, {port: 2}], "
            + _ROUTE
            + "}]}",
            ["tcp[1].match[0]: has no effect: what it matches goes to route 0"],
        ),
    ],
)
def test_routes_that_are_never_reached_are_warned_of(spec: str, warnings: list[str], check: Check) -> None:
    assert check("vs", spec) == ([], warnings)
