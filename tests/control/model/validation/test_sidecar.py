"""Rules of Sidecars: a spec, and what is said of it."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]


def ingress(text: str) -> str:
    return "{ingress: [{" + text + "}]}"


def egress(*listeners: str) -> str:
    return "{egress: [" + ", ".join("{" + text + "}" for text in listeners) + "]}"


_PORT = "port: {number: 80, protocol: HTTP, name: http}"


@pytest.mark.parametrize(
    "spec",
    [
        egress("hosts: ['*/*']"),
        egress("hosts: [./*, istio-system/a.com, '*/*.b.com', '~/*', ~ns/c.com]"),
        egress("port: {number: 80}, hosts: [./*], captureMode: NONE, bind: 127.0.0.1", "hosts: ['*/*']"),
        egress("port: {number: 0, protocol: HTTP}, bind: unix:///a/b, hosts: ['*/*']"),
        ingress(_PORT + ", defaultEndpoint: 127.0.0.1:8080"),
        ingress(_PORT + ", defaultEndpoint: '[::1]:8080', bind: 10.0.0.1"),
        ingress(_PORT + ", defaultEndpoint: unix://@app, connectionPool: {http: {maxRetries: 1}}"),
        "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
        "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.b.com, port: {number: 1}}}}",
        "{inboundConnectionPool: {tcp: {maxConnections: 1}}}",
    ],
)
def test_what_istio_takes_is_taken(spec: str, check: Check) -> None:
    assert check("sidecar", spec) == ([], [])


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        ("{}", ["spec: must have at least one of ingress, egress, outboundTrafficPolicy and inboundConnectionPool"]),
        (ingress("bind: 10.0.0.1"), ["ingress[0].port: is required"]),
        (
            "{ingress: [{port: {number: 80}}, {port: {number: 80}}]}",
            ["ingress: port 80 occurs twice"],
        ),
        (
            ingress("port: {number: 0, protocol: X, name: a_b, targetPort: 1}, bind: here"),
            [
                "ingress[0].port.number: must be a port, 1..65535, not 0",
                "ingress[0].port.protocol: must be one of HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TCP, TLS, MONGO, MYSQL, "
                "REDIS, UDP, not 'X'",
                "ingress[0].port.name: 'a_b' is not a port name (letters, digits and '-')",
                "ingress[0].port.targetPort: means nothing in a Sidecar",
                "ingress[0].bind: must be an IP address, not 'here'",
            ],
        ),
        (
            ingress(_PORT + ", defaultEndpoint: 10.0.0.1:80"),
            [
                "ingress[0].defaultEndpoint: must be 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or "
                "unix:///PATH, not '10.0.0.1:80'"
            ],
        ),
        (
            ingress(_PORT + ", defaultEndpoint: 127.0.0.1:0"),
            ["ingress[0].defaultEndpoint: must end with a port, 1..65535, not '0'"],
        ),
        (
            ingress(_PORT + ", defaultEndpoint: unix://a/"),
            ["ingress[0].defaultEndpoint: must be unix:///PATH or unix://@NAME, not 'unix://a/'"],
        ),
        (
            ingress(_PORT + ", tls: {mode: ISTIO_MUTUAL, httpsRedirect: true, subjectAltNames: [a]}"),
            [
                "ingress[0].tls.subjectAltNames: is not supported in a Sidecar",
                "ingress[0].tls.httpsRedirect: is not supported in a Sidecar",
                "ingress[0].tls: needs a port of protocol HTTPS or TLS, not HTTP",
                "ingress[0].tls.mode: must not be ISTIO_MUTUAL in a Sidecar",
            ],
        ),
        (egress(""), ["egress[0].hosts: must have at least one host"]),
        (
            egress("hosts: [a.com, A/b.com, ns/b, ns/*b.com]"),
            [
                "egress[0].hosts[0]: must be namespace/dnsName, not 'a.com'",
                "egress[0].hosts[1]: 'A' is not '*', '.', '~' or a namespace",
                "egress[0].hosts[2]: must be a fully qualified name, not 'b'",
                "egress[0].hosts[3]: '*b.com': a wildcard must be a whole label",
            ],
        ),
        (
            egress("hosts: ['*/*']", "port: {number: 80}, hosts: ['*/*']"),
            ["egress[0]: without a port it must be the last one, and the only one"],
        ),
        (egress("bind: 10.0.0.1, hosts: ['*/*']"), ["egress[0].bind: needs a port"]),
        (
            egress("port: {number: 0}, captureMode: IPTABLES, hosts: ['*/*']"),
            [
                "egress[0].bind: must be unix:///PATH where the port is 0",
                "egress[0].captureMode: must be DEFAULT or NONE for a Unix socket",
            ],
        ),
        (
            egress("port: {number: 80}, hosts: ['*/*']", "port: {number: 80}, hosts: ['*/*']"),
            ["egress: port 80 occurs twice"],
        ),
        (
            "{outboundTrafficPolicy: {mode: REGISTRY_ONLY, egressProxy: {host: '*.a.com'}}}",
            [
                "outboundTrafficPolicy.egressProxy: needs mode ALLOW_ANY",
                "outboundTrafficPolicy.egressProxy.port: is required",
                "outboundTrafficPolicy.egressProxy.host: must not be a wildcard",
            ],
        ),
        (
            "{workloadSelector: {labels: {app: 'a*'}}, egress: [{hosts: ['*/*']}]}",
            ["workloadSelector.labels.app: wildcards are not supported in a selector"],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(spec: str, violations: list[str], check: Check) -> None:
    assert check("sidecar", spec)[0] == violations


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        ("{workloadSelector: {}, egress: [{hosts: ['*/*']}]}", "workloadSelector.labels: is empty"),
        (egress("hosts: [ns/a.com, ns/a.com]"), "egress[0].hosts[1]: is imported already by another host"),
        (egress("hosts: [./a.com, ns/*]"), "egress[0].hosts[1]: is imported already by another host"),
        (egress("hosts: ['*/*', other/a.com]"), "egress[0].hosts: */* imports everything"),
        (
            ingress("port: {number: 80, protocol: TCP}, connectionPool: {http: {maxRetries: 1}}"),
            "ingress[0].connectionPool.http: has no effect on a port of protocol TCP",
        ),
        (
            "{inboundConnectionPool: {http: {h2UpgradePolicy: UPGRADE}}}",
            "inboundConnectionPool.http.h2UpgradePolicy: has no effect",
        ),
    ],
)
def test_what_istio_warns_of_is_warned_of(spec: str, warning: str, check: Check) -> None:
    violations, (found,) = check("sidecar", spec)
    assert violations == []
    assert found.startswith(warning)
