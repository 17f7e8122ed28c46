"""Rules of every kind but VirtualService: a spec, and what is said of it."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]
Refuse = Callable[[str, str], list[str]]


def policy(text: str) -> str:
    return "{host: a, trafficPolicy: {" + text + "}}"


def server(text: str, hosts: str = "['*']") -> str:
    return "{selector: {istio: ingressgateway}, servers: [{hosts: " + hosts + ", " + text + "}]}"


_HTTPS = "port: {number: 443, name: https, protocol: HTTPS}, tls: "
_EXTERNAL = "{hosts: [a.example.com], ports: [{number: 80, name: http, protocol: HTTP}], "


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("dr", "{host: a.ns, subsets: [{name: v1, labels: {version: v1}}, {name: v2}]}"),
        ("dr", "{host: '*.example.com', exportTo: ['*']}"),
        (
            "dr",
            policy("loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 0, interval: 1s}"),
        ),
        ("dr", policy("loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 0s}, maglev: {tableSize: 65537}}}")),
        ("dr", policy("loadBalancer: {consistentHash: {httpHeaderName: ':authority', maglev: {tableSize: 3}}}")),
        ("dr", policy("loadBalancer: {warmup: {duration: 10s, minimumPercent: 0, aggression: 1}}")),
        ("dr", policy("loadBalancer: {warmupDurationSecs: 10s}, retryBudget: {percent: 100}")),
        (
            "dr",
            policy(
                "loadBalancer: {localityLbSetting: {distribute: ["
                "{from: eu/*, to: {eu/berlin: 70, us/*: 30}}, {from: us, to: {us: 100}}]}}"
            ),
        ),
        (
            "dr",
            policy("loadBalancer: {localityLbSetting: {failoverPriority: [tier, a=b], failover: [{from: a, to: b}]}}"),
        ),
        ("dr", policy("connectionPool: {tcp: {maxConnections: 1, connectTimeout: 1s}, http: {idleTimeout: 1h}}")),
        ("dr", policy("tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /ca, sni: b}")),
        ("dr", policy("portLevelSettings: [{port: {number: 80}, tls: {mode: ISTIO_MUTUAL}}]")),
        ("gw", server("port: {number: 80, name: http, protocol: HTTP}, tls: {httpsRedirect: true}")),
        ("gw", server(_HTTPS + "{mode: SIMPLE, credentialName: cert}", "[./a.com, '*/b.com', ns/*.c.com]")),
        ("gw", server(_HTTPS + "{mode: SIMPLE, serverCertificate: /c, privateKey: /k}")),
        ("se", _EXTERNAL + "resolution: DNS}"),
        (
            "se",
            _EXTERNAL
            + "resolution: STATIC, location: MESH_INTERNAL, endpoints: [{address: 10.0.0.1, ports: {http: 8080}}]}",
        ),
        ("se", _EXTERNAL + "resolution: STATIC, workloadSelector: {labels: {app: a}}}"),
        ("se", _EXTERNAL + "resolution: NONE, addresses: [10.0.0.0/8], exportTo: ['~']}"),
        (
            "we",
            "{address: 10.0.0.1, ports: {http: 8080}, labels: {app: a}, locality: eu/a/b, weight: 5,serviceAccount: s}",
        ),
        ("we", "{address: host.example.com}"),
        ("pa", "{mtls: {mode: STRICT}}"),
        ("pa", "{}"),
        (
            "svc",
            "{ports: [{port: 80}], selector: {app: a}, type: LoadBalancer, sessionAffinity: None, clusterIP: 10.0.0.1}",
        ),
        (
            "svc",
            "{ports: [{name: http, port: 80, targetPort: web, appProtocol: http}, {name: b, port: 81, targetPort: 8}]}",
        ),
        ("secret", "{stringData: {a: b}}"),
    ],
)
def test_what_istio_takes_is_taken(kind: str, spec: str, refuse: Refuse) -> None:
    assert refuse(kind, spec) == []


@pytest.mark.parametrize(
    ("kind", "spec", "violations"),
    [
        ("dr", "{}", ["host: is required"]),
        ("dr", "{host: a, trafficPolicy: {}}", ["trafficPolicy: must have at least one field"]),
        ("dr", "{host: a, subsets: [{name: v1}, {name: v1}]}", ["subsets: subset 'v1' occurs twice"]),
        (
            "dr",
            "{host: a, subsets: [{name: '', labels: {'a/b/c': d}}]}",
            [
                "subsets[0].name: must be a name of letters, digits and '-', at most 63, not ''",
                "subsets[0].labels[\"a/b/c\"]: 'a/b/c' is not a qualified name ([prefix/]name)",
            ],
        ),
        (
            "dr",
            policy("loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}"),
            ["trafficPolicy.loadBalancer: must have only one of simple and consistentHash"],
        ),
        (
            "dr",
            policy("loadBalancer: {warmupDurationSecs: 1s, warmup: {minimumPercent: 101, aggression: 0.5}}"),
            [
                "trafficPolicy.loadBalancer.warmupDurationSecs: cannot stand beside warmup",
                "trafficPolicy.loadBalancer.warmup.duration: is required",
                "trafficPolicy.loadBalancer.warmup.minimumPercent: must be 0..100",
                "trafficPolicy.loadBalancer.warmup.aggression: must be at least 1",
            ],
        ),
        ("dr", policy("retryBudget: {percent: 101}"), ["trafficPolicy.retryBudget.percent: must be 0..100"]),
        (
            "dr",
            policy("loadBalancer: {localityLbSetting: {distribute: [{from: eu, to: {us: 50, us/ohio: 40}}]}}"),
            [
                "trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: the weights must add up to 100",
                "trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: 'us/ohio' overlaps another locality",
            ],
        ),
        (
            "dr",
            policy(
                "loadBalancer: {localityLbSetting: {failover: [{from: a/b, to: '*'}, {from: c, to: c}], "
                "failoverPriority: [topology.kubernetes.io/region]}}"
            ),
            [
                "trafficPolicy.loadBalancer.localityLbSetting.failover[0].from: must be a region, without / and *",
                "trafficPolicy.loadBalancer.localityLbSetting.failover[0].to: must be a region, without / and *",
                "trafficPolicy.loadBalancer.localityLbSetting.failover[1]: must be two regions",
                "trafficPolicy.loadBalancer.localityLbSetting.failoverPriority[0]: "
                "topology.kubernetes.io/region cannot stand beside failover",
            ],
        ),
        (
            "dr",
            policy("loadBalancer: {consistentHash: {}}"),
            [
                "trafficPolicy.loadBalancer.consistentHash: must have exactly one of "
                "httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName"
            ],
        ),
        (
            "dr",
            policy("loadBalancer: {consistentHash: {httpHeaderName: a, maglev: {tableSize: 100}}}"),
            ["trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: must be a prime number below 5000011"],
        ),
        (
            "dr",
            policy("loadBalancer: {consistentHash: {httpHeaderName: 'a b'}}"),
            ["trafficPolicy.loadBalancer.consistentHash.httpHeaderName: 'a b' is not a header name"],
        ),
        (
            "dr",
            policy("loadBalancer: {consistentHash: {httpCookie: {name: 'a=b', path: /;x, attributes: [{name: a;b}]}}}"),
            [
                "trafficPolicy.loadBalancer.consistentHash.httpCookie.name: must be a token (RFC 6265)",
                "trafficPolicy.loadBalancer.consistentHash.httpCookie.path: must not have ';' or control characters",
                "trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes[0].name: must be a token (RFC 6265)",
            ],
        ),
        ("dr", policy("connectionPool: {}"), ["trafficPolicy.connectionPool: must have at least one of tcp and http"]),
        (
            "dr",
            policy("connectionPool: {tcp: {maxConnections: -1, connectTimeout: 0s}}"),
            [
                "trafficPolicy.connectionPool.tcp.maxConnections: must be 0..2147483647, not -1",
                "trafficPolicy.connectionPool.tcp.connectTimeout: must be whole milliseconds, >= 1ms",
            ],
        ),
        (
            "dr",
            policy("outlierDetection: {maxEjectionPercent: 101, baseEjectionTime: forever}"),
            [
                "trafficPolicy.outlierDetection.baseEjectionTime: "
                "must be a duration such as 1h, 30s or 250ms, not 'forever'",
                "trafficPolicy.outlierDetection.maxEjectionPercent: must be 0..100, not 101",
            ],
        ),
        (
            "dr",
            policy("tls: {mode: MUTUAL, caCertificates: /ca}"),
            [
                "trafficPolicy.tls.clientCertificate: is required with MUTUAL",
                "trafficPolicy.tls.privateKey: is required with MUTUAL",
            ],
        ),
        (
            "dr",
            policy("tls: {mode: SIMPLE, credentialName: c, privateKey: /k}"),
            [
                "trafficPolicy.tls.privateKey: cannot stand beside credentialName",
            ],
        ),
        (
            "dr",
            policy("portLevelSettings: [{port: {number: 80}}, {tls: {mode: SIMPLE}}]"),
            [
                "trafficPolicy.portLevelSettings[0]: must have one field beside port",
                "trafficPolicy.portLevelSettings[1].port: is required",
            ],
        ),
        ("gw", "{}", ["servers: must have at least one server"]),
        ("gw", "{servers: [{}]}", ["servers[0].hosts: must have at least one host", "servers[0].port: is required"]),
        (
            "gw",
            server("port: {number: 0, protocol: HTTQ}"),
            [
                "servers[0].port.number: must be a port, 1..65535, not 0",
                "servers[0].port.protocol: must be one of HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TCP, TLS, MONGO, MYSQL, "
                "REDIS, UDP, not 'HTTQ'",
                "servers[0].port.name: is required",
            ],
        ),
        ("gw", server("port: {number: 443, name: a, protocol: HTTPS}"), ["servers[0].tls: is required for HTTPS"]),
        (
            "gw",
            server("port: {number: 80, name: a, protocol: HTTP}, tls: {mode: SIMPLE, credentialName: a}"),
            ["servers[0].tls: can only say httpsRedirect on a port of protocol HTTP"],
        ),
        (
            "gw",
            server("port: {number: 80, name: a, protocol: TCP}, tls: {httpsRedirect: true}"),
            ["servers[0].tls: cannot stand on a port of protocol TCP"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE}"),
            [
                "servers[0].tls.serverCertificate: or credentialName is required with SIMPLE",
                "servers[0].tls.privateKey: or credentialName is required with SIMPLE",
            ],
        ),
        (
            "gw",
            server("port: {number: 80, name: a, protocol: HTTP}", "['A_b/c.com', 'a..b']"),
            [
                "servers[0].hosts[0]: 'A_b' is not '.', '*' or a namespace",
                "servers[0].hosts[1]: must be a DNS name, not 'a..b'",
            ],
        ),
        ("se", "{hosts: ['*']}", ["hosts[0]: must be a host, not '*'"]),
        (
            "se",
            _EXTERNAL + "resolution: DNS, endpoints: [{address: 'unix:///a'}]}",
            ["endpoints[0].address: a Unix socket has no name to resolve"],
        ),
        (
            "se",
            "{hosts: [a.com], ports: [{number: 80, name: a}, {number: 81, name: b}], resolution: STATIC, "
            "endpoints: [{address: 'unix:///a'}]}",
            ["endpoints[0].address: a Unix socket serves exactly one port"],
        ),
        (
            "pa",
            "{selector: {matchLabels: {app: a}}, portLevelMtls: {}}",
            ["portLevelMtls: must have at least one port"],
        ),
        (
            "se",
            "{hosts: [a], ports: [{number: 80, name: a}, {number: 80, name: a}]}",
            ["ports: port 80 occurs twice", "ports: port name 'a' occurs twice"],
        ),
        (
            "se",
            _EXTERNAL + "endpoints: [{address: 10.0.0.1}], workloadSelector: {labels: {}}}",
            [
                "endpoints: cannot stand beside workloadSelector",
                "endpoints: must be empty with resolution NONE",
            ],
        ),
        (
            "se",
            _EXTERNAL + "resolution: STATIC, endpoints: [{address: a.com, ports: {grpc: 1}}]}",
            [
                "endpoints[0].ports.grpc: no port of the ServiceEntry has this name",
                "endpoints[0].address: must be an IP address, not 'a.com'",
            ],
        ),
        (
            "se",
            "{hosts: ['*.a.com'], ports: [{number: 80, name: a}], resolution: DNS}",
            ["hosts[0]: must not be a wildcard with resolution DNS"],
        ),
        ("we", "{}", ["address: is required"]),
        (
            "we",
            "{address: 'a b', ports: {http: 0}, weight: -1, locality: a/b/c/d}",
            [
                "address: must be a DNS name, not 'a b'",
                "ports.http: must be a port, 1..65535, not 0",
                "weight: must be 0..2147483647, not -1",
                "locality: must be region[/zone[/sub-zone]]",
            ],
        ),
        ("svc", "{}", ["ports: must have at least one port"]),
        ("svc", "{ports: [{port: 80}], clusterIP: here}", ["clusterIP: must be an IP address or None, not 'here'"]),
        (
            "svc",
            "{ports: [{port: 80}, {port: 80, name: UP, targetPort: '8080'}]}",
            [
                "ports[0].name: is required where there are several ports",
                "ports[1].name: must be a DNS label (a-z, 0-9 and '-', at most 63 characters), not 'UP'",
                "ports[1].targetPort: must be a port or the name of one, not '8080'",
                "ports: port 80 occurs twice",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(
    kind: str, spec: str, violations: list[str], refuse: Refuse
) -> None:
    assert refuse(kind, spec) == violations


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        (
            "dr",
            "{host: a, subsets: [{name: v, trafficPolicy: {portLevelSettings: [{port: {number: 1}, "
            "loadBalancer: {zoneAwareLbSetting: {enabled: true}}}]}}]}",
            "subsets[0].trafficPolicy.portLevelSettings[0].loadBalancer.zoneAwareLbSetting",
        ),
        ("gw", server(_HTTPS + "{mode: AUTO_PASSTHROUGH}"), "servers[0].tls.mode AUTO_PASSTHROUGH"),
        ("gw", server("port: {number: 80, name: a, protocol: udp}"), "servers[0].port.protocol udp"),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, credentialName: a, cipherSuites: [DES-CBC3-SHA]}"),
            "servers[0].tls.cipherSuites[0] DES-CBC3-SHA",
        ),
        ("svc", "{ports: [{port: 53, protocol: UDP}]}", "ports[0].protocol UDP"),
        ("we", "{address: 10.0.0.1, network: far}", "network"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(kind: str, spec: str, path: str, refuse: Refuse) -> None:
    assert refuse(kind, spec) == [f"{path.partition(' ')[0]}: pymesh does not implement spec.{path}"]


@pytest.mark.parametrize(
    "tls",
    [
        "{}",
        "{mode: PASSTHROUGH}",
        "{mode: ISTIO_MUTUAL}",
        "{mode: MUTUAL, credentialName: a, caCertCredentialName: b, subjectAltNames: [a.example]}",
        "{mode: OPTIONAL_MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca}",
        "{mode: SIMPLE, credentialNames: [a, b]}",
        "{mode: MUTUAL, tlsCertificates: [{serverCertificate: /c, privateKey: /k}], caCertificates: /ca}",
        "{mode: MUTUAL, credentialName: a, verifyCertificateSpki: [NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=]}",
    ],
)
def test_a_gateways_tls_modes_are_accepted(tls: str, refuse: Refuse) -> None:
    assert refuse("gw", server(_HTTPS + tls)) == []


def test_hashes_of_client_certificates_must_be_hashes(refuse: Refuse) -> None:
    hashes = "verifyCertificateSpki: [abc], verifyCertificateHash: ['12:34']"
    assert refuse("gw", server(_HTTPS + f"{{mode: MUTUAL, credentialName: a, {hashes}}}")) == [
        "servers[0].tls.verifyCertificateSpki[0]: must be a SHA-256 hash in base64",
        "servers[0].tls.verifyCertificateHash[0]: must be a SHA-256 hash in hexadecimal, with colons or without",
    ]


@pytest.mark.parametrize(
    ("kind", "spec", "violations"),
    [
        (
            "dr",
            "{host: a, workloadSelector: {matchLabels: {app: 'a*'}}, exportTo: ['*']}",
            [
                "workloadSelector.matchLabels.app: wildcards are not supported in a selector",
                "exportTo: can only be '.' beside workloadSelector",
            ],
        ),
        (
            "dr",
            policy("tunnel: {protocol: GET, targetHost: a b}, proxyProtocol: {version: V2}"),
            [
                "trafficPolicy.tunnel: cannot stand beside proxyProtocol",
                "trafficPolicy.tunnel.protocol: must be CONNECT or POST, not 'GET'",
                "trafficPolicy.tunnel.targetHost: must be a DNS name, not 'a b'",
                "trafficPolicy.tunnel.targetPort: must be a port, 1..65535, not 0",
            ],
        ),
        (
            "dr",
            policy("connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}"),
            ["trafficPolicy.connectionPool.http.useClientProtocol: cannot stand beside UPGRADE"],
        ),
        (
            "dr",
            policy("tls: {mode: SIMPLE, insecureSkipVerify: true, credentialName: a, subjectAltNames: [b]}"),
            [
                "trafficPolicy.tls.subjectAltNames: cannot stand beside insecureSkipVerify",
                "trafficPolicy.tls.credentialName: cannot stand beside insecureSkipVerify with SIMPLE",
            ],
        ),
        (
            "dr",
            policy("loadBalancer: {consistentHash: {useSourceIp: true, maglev: {}}}"),
            ["trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: must be a prime number below 5000011"],
        ),
        (
            "gw",
            server("port: {number: 80, name: a, protocol: HTTP}", "[a, '*a.com', x/y/z.com]"),
            [
                "servers[0].hosts[0]: must be a fully qualified name, not 'a'",
                "servers[0].hosts[1]: '*a.com': a wildcard must be a whole label",
                "servers[0].hosts[2]: must be a DNS name, not 'y/z.com'",
            ],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: ISTIO_MUTUAL, credentialName: a}"),
            ["servers[0].tls.credentialName: must not be set with ISTIO_MUTUAL, which has the mesh's certificate"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, credentialNames: [a, b, c], serverCertificate: /c, privateKey: /k}"),
            [
                "servers[0].tls: must have only one of credentialNames, serverCertificate and privateKey",
                "servers[0].tls.credentialNames: must be 2 at most",
            ],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: SIMPLE, serverCertificate: /c, privateKey: /k, caCrl: /x}"),
            ["servers[0].tls.caCrl: is not supported with SIMPLE, as there is no client certificate"],
        ),
        (
            "gw",
            server(_HTTPS + "{mode: MUTUAL, tlsCertificates: [{privateKey: /k}]}"),
            [
                "servers[0].tls.tlsCertificates[0].serverCertificate: is required",
                "servers[0].tls.caCertificates: or credentialName is required with MUTUAL",
            ],
        ),
        (
            "gw",
            server("bind: unix:///a, port: {number: 80, name: a, protocol: HTTP}"),
            ["servers[0].port.number: must be 0 for a Unix socket"],
        ),
        (
            "se",
            "{hosts: [a.com, b.com], ports: [{number: 1, name: tcp, protocol: TCP}], resolution: DNS}",
            ["hosts: must be one where a port is neither HTTP nor TLS"],
        ),
        (
            "we",
            "{address: unix://a, ports: {http: 80}}",
            [
                "address: must be unix:///PATH or unix://@NAME, not 'unix://a'",
                "ports: cannot stand beside a Unix socket",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_invalid_whether_or_not_pymesh_obeys_the_field(
    kind: str, spec: str, violations: list[str], check: Check
) -> None:
    assert check(kind, spec)[0] == violations
