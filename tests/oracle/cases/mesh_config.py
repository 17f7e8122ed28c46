"""MeshConfig: paths, who is believed at the edge, and which headers are added."""

from oracle.script import GATEWAY, INBOUND, OUTBOUND, Case, Setup, case, get, response, serve

_PATHS = ("/a//b/../c", "/a%2Fb%5cc", "/%61/%2e%2e/c", "/a\\b", "/a%2F..%2Fb", "/a//%2f/b?x=//", "/a/./%2E/b;c=d")


def _path(mode: str, path: str) -> Case:
    mesh = f"pathNormalization: {{normalization: {mode}}}"
    return case(f"mesh: {mode} of {path}", get(path), setup=Setup(at=INBOUND, mesh=mesh))


def _trusted(count: int, *fields: str) -> Case:
    mesh = f"defaultConfig: {{gatewayTopology: {{numTrustedProxies: {count}}}}}"
    return case(
        f"mesh: {count} trusted proxies, {len(fields)} lines", get("/", *fields), setup=Setup(GATEWAY, mesh=mesh)
    )


def _headers(at: str, text: str, *fields: str) -> Case:
    mesh = f"defaultConfig: {{proxyHeaders: {{{text}}}}}"
    answer = serve(response(200, "server: app", "x-envoy-upstream-service-time: 7"))
    return case(f"mesh: {text}, {at}", answer, get("/", *fields), setup=Setup(at, mesh=mesh))


CASES = (
    *(_path(mode, path) for mode in ("NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES") for path in _PATHS),
    _trusted(1),
    _trusted(1, "x-forwarded-for: 1.2.3.4"),
    _trusted(2, "x-forwarded-for: 6.6.6.6, 1.2.3.4", "x-forwarded-proto: https"),
    _trusted(2, "x-forwarded-for: 6.6.6.6", "x-forwarded-for: 7.7.7.7, 8.8.8.8", "x-envoy-external-address: 9.9.9.9"),
    *(
        _headers(at, text)
        for at in (INBOUND, OUTBOUND, GATEWAY)
        for text in (
            "server: {disabled: true}",
            "server: {value: mine}",
            "requestId: {disabled: true}",
            "attemptCount: {disabled: true}",
            "envoyDebugHeaders: {disabled: true}",
        )
    ),
    _headers(INBOUND, "forwardedClientCert: SANITIZE", "x-forwarded-client-cert: By=me"),
    _headers(INBOUND, "forwardedClientCert: ALWAYS_FORWARD_ONLY", "x-forwarded-client-cert: By=me"),
    case(
        "mesh: a gateway that forwards client certificates",
        get("/", "x-forwarded-client-cert: By=me"),
        setup=Setup(GATEWAY, mesh="defaultConfig: {gatewayTopology: {forwardClientCertDetails: ALWAYS_FORWARD_ONLY}}"),
    ),
)
