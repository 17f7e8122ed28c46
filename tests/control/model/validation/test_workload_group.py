"""Rules of WorkloadGroups: a spec, and what is said of it."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]


def probe(text: str) -> str:
    return "{template: {}, probe: {" + text + "}}"


@pytest.mark.parametrize(
    "spec",
    [
        "{template: {}}",
        "{metadata: {labels: {app: a}, annotations: {b: c}}, template: {serviceAccount: a, labels: {c: d}, weight: 2}}",
        probe("httpGet: {path: /, port: 80, scheme: HTTPS, httpHeaders: [{name: x-a, value: b}]}, periodSeconds: 5"),
        probe("tcpSocket: {port: 80}"),
        probe("exec: {command: [cat, /tmp/healthy]}, initialDelaySeconds: 1"),
        probe("grpc: {port: 80, service: a.B}"),
    ],
)
def test_what_istio_takes_is_taken(spec: str, check: Check) -> None:
    assert check("wg", spec) == ([], [])


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        ("{}", ["template: is required"]),
        ("{template: {ports: {http: 0}}}", ["template.ports.http: must be a port, 1..65535, not 0"]),
        (
            "{template: {}, metadata: {labels: {a: 'b c'}}}",
            ["metadata.labels.a: 'b c' is not a label value (letters, digits, '-', '_', '.', at most 63)"],
        ),
        (probe(""), ["probe: must have exactly one of httpGet, tcpSocket, exec, grpc"]),
        (
            probe("tcpSocket: {port: 1}, grpc: {port: 1}, timeoutSeconds: -1"),
            [
                "probe.timeoutSeconds: must be 0..2147483647, not -1",
                "probe: must have exactly one of httpGet, tcpSocket, exec, grpc",
            ],
        ),
        (probe("exec: {}"), ["probe.exec.command: is required"]),
        (
            probe("httpGet: {scheme: http, httpHeaders: [{}]}"),
            [
                "probe.httpGet.port: must be a port, 1..65535, not 0",
                "probe.httpGet.scheme: must be HTTP or HTTPS, not 'http'",
                "probe.httpGet.httpHeaders[0].name: '' is not a name of letters, digits, '-' and '_'",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(spec: str, violations: list[str], check: Check) -> None:
    assert check("wg", spec)[0] == violations


def test_what_each_workload_has_of_its_own_is_warned_of(check: Check) -> None:
    assert check("wg", "{template: {address: 10.0.0.1, ports: {http: 80}}}")[1] == [
        "template.address: has no effect: it is the workload's own",
        "template.ports: has no effect: a sidecar's application has one port, that of --app-port",
    ]
