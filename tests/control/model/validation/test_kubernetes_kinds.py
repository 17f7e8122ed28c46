"""Rules of Kubernetes' kinds beside Service and Secret: an object's fields, and what is said of it."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("endpoints", "{subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]}"),
        (
            "endpoints",
            "{subsets: [{notReadyAddresses: [{ip: '::1'}], ports: [{name: a, port: 1}, {name: b, port: 2}]}]}",
        ),
        ("endpointslice", "{addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}}]}"),
        ("endpointslice", "{addressType: FQDN, endpoints: [{addresses: [a.com]}], ports: [{name: http, port: 80}]}"),
        ("cm", "{data: {a.b: c}, binaryData: {d: aGk=}}"),
        ("ns", "{}"),
        ("sa", "{imagePullSecrets: [{name: a}], automountServiceAccountToken: false}"),
    ],
)
def test_what_kubernetes_takes_is_taken(kind: str, fields: str, check: Check) -> None:
    assert check(kind, fields)[0] == []


def test_a_slice_of_no_service_is_warned_of(check: Check) -> None:
    assert check("endpointslice", "{addressType: IPv4}")[1] == [
        ".: belongs to no Service without the label kubernetes.io/service-name"
    ]


@pytest.mark.parametrize(
    ("kind", "fields", "violations"),
    [
        (
            "endpoints",
            "{subsets: [{ports: [{port: 0}]}]}",
            [
                "subsets[0]: must have at least one address",
                "subsets[0].ports[0].port: must be a port, 1..65535, not 0",
            ],
        ),
        (
            "endpoints",
            "{subsets: [{addresses: [{ip: a.com}], ports: [{port: 1}, {name: a, port: 2}, {name: a, port: 3}]}]}",
            [
                "subsets[0].addresses[0].ip: must be an IP address, not 'a.com'",
                "subsets[0].ports[0].name: is required where there are several ports",
                "subsets[0].ports: port name 'a' occurs twice",
            ],
        ),
        (
            "endpointslice",
            "{addressType: IPv6, endpoints: [{}, {addresses: [10.0.0.1]}]}",
            [
                "endpoints[0].addresses: must have at least one address",
                "endpoints[1].addresses[0]: must be an IPv6 address, not '10.0.0.1'",
            ],
        ),
        (
            "cm",
            "{data: {'a/b': c, d: e}, binaryData: {d: aGk=}}",
            [
                "data[\"a/b\"]: must be a name of letters, digits, '-', '_' and '.'",
                "binaryData.d: stands in data, too",
            ],
        ),
    ],
)
def test_what_kubernetes_refuses_is_refused_with_the_path(
    kind: str, fields: str, violations: list[str], check: Check
) -> None:
    assert check(kind, fields)[0] == violations
