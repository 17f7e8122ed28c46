"""Rules of the kinds that concern the proxies themselves: EnvoyFilter, WasmPlugin, ProxyConfig."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]


def patch(text: str) -> str:
    return "{configPatches: [{" + text + "}]}"


_MERGE = "patch: {operation: MERGE, value: {a: {b: 1}}}"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("envoyfilter", "{}"),
        ("envoyfilter", patch("applyTo: CLUSTER, match: {context: GATEWAY, cluster: {service: a}}, " + _MERGE)),
        ("envoyfilter", patch("applyTo: HTTP_FILTER, match: {listener: {portNumber: 80}}, patch: {operation: REMOVE}")),
        ("wasmplugin", "{url: 'oci://registry:5000/a:1', pluginConfig: {a: [1]}, phase: AUTHN, priority: 10}"),
        ("wasmplugin", "{url: 'registry:5000/a:1', match: [{mode: SERVER, ports: [{number: 80}]}]}"),
        ("wasmplugin", "{url: file:///a, vmConfig: {env: [{name: A, value: b}, {name: C, valueFrom: HOST}]}}"),
        ("proxyconfig", "{concurrency: 0, environmentVariables: {A: b}, image: {imageType: debug}}"),
        ("proxyconfig", "{selector: {matchLabels: {app: a}}}"),
    ],
)
def test_what_istio_takes_is_taken(kind: str, spec: str, check: Check) -> None:
    assert check(kind, spec)[0] == []


@pytest.mark.parametrize(
    ("kind", "spec", "violations"),
    [
        ("envoyfilter", patch(""), ["configPatches[0].applyTo: is required", "configPatches[0].patch: is required"]),
        (
            "envoyfilter",
            patch("applyTo: CLUSTER, match: {routeConfiguration: {}}, patch: {operation: ADD}"),
            [
                "configPatches[0].patch.value: is required with ADD",
                "configPatches[0].match: applyTo CLUSTER is matched by cluster, not by routeConfiguration",
            ],
        ),
        (
            "envoyfilter",
            patch("applyTo: LISTENER, match: {listener: {}, cluster: {}, proxy: {proxyVersion: '('}}, " + _MERGE),
            [
                "configPatches[0].match: must have only one of listener, routeConfiguration, cluster, waypoint",
                "configPatches[0].match.proxy.proxyVersion: must be an RE2 regex: missing ): (",
            ],
        ),
        ("wasmplugin", "{}", ["url: is required"]),
        ("wasmplugin", "{url: 'a%b'}", ["url: must be a URL, not 'a%b'"]),
        ("wasmplugin", "{url: ftp://a}", ["url: must have one of oci, file, http and https, not ftp"]),
        (
            "wasmplugin",
            "{url: oci://a, sha256: ABC, vmConfig: {env: [{}, {name: A, valueFrom: HOST, value: b}]},"
            " match: [{ports: [{}]}]}",
            [
                "sha256: must be 64 hexadecimal digits in lower case",
                "vmConfig.env[0].name: is required",
                "vmConfig.env[1].value: can only stand beside valueFrom INLINE",
                "match[0].ports[0].number: must be a port, 1..65535, not 0",
            ],
        ),
        (
            "proxyconfig",
            "{concurrency: -1, environmentVariables: {'A=B': c}}",
            [
                "concurrency: must be 0..2147483647, not -1",
                "environmentVariables: 'A=B' is not the name of a variable",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(kind: str, spec: str, violations: list[str], check: Check) -> None:
    assert check(kind, spec)[0] == violations
