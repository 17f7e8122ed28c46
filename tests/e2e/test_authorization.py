"""Tokens and policies between real sidecars: who may call is decided by the certificate and the token they show."""

import http.server
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.service.auth.v3 import external_auth_pb2

DENIED = b"RBAC: access denied"

TAKES_TOKENS = """
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: tokens}}
spec:
  selector: {{matchLabels: {{app: vault}}}}
  jwtRules:
  - issuer: https://issuer.example
    audiences: [vault]
    jwksUri: {uri}
    outputClaimToHeaders: [{{header: x-user, claim: sub}}]
"""
NEEDS_ADMIN = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: admins}
spec:
  selector: {matchLabels: {app: vault}}
  rules:
  - from: [{source: {requestPrincipals: ["https://issuer.example/*"]}}]
    when: [{key: "request.auth.claims[groups]", values: [admins]}]
"""
ONLY_WEB_MAY_READ = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-reads}
spec:
  selector: {matchLabels: {app: ledger}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]
    to: [{operation: {methods: [GET], paths: ["/books/{*}"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets}
spec:
  selector: {matchLabels: {app: ledger}}
  action: DENY
  rules:
  - to: [{operation: {paths: [/books/secret]}}]
"""
ONLY_WEB_MAY_CONNECT = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-connects}
spec:
  selector: {matchLabels: {app: db}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]
"""


class Issuer(http.server.ThreadingHTTPServer):
    """Signs tokens, and serves its public keys at `uri`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = jwt.get_algorithm_by_name("ES256").to_jwk(self.key.public_key(), as_dict=True)
        self.jwks = json.dumps({"keys": [{**public, "kid": "one"}]}).encode()
        super().__init__(("127.0.0.1", 0), _KeysHandler)
        self.uri = f"http://127.0.0.1:{self.server_port}/keys"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def sign(self, **claims: Any) -> str:
        claims = {"iss": "https://issuer.example", "sub": "alice", "aud": "vault", **claims}
        return jwt.encode(claims, self.key, "ES256", {"kid": "one"})


class _KeysHandler(http.server.BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.jwks)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    yield found
    found.shutdown()
    found.server_close()


def start(mesh: Any, service: str, account: str = "", *flags: str) -> Any:
    return mesh.proxy(
        service, mesh.http_app(service).port, *(("--service-account", account) if account else ()), *flags
    )


def wait_rule(mesh: Any, proxy: Any, text: str) -> None:
    mesh.wait_until(lambda: text in proxy.read_admin("/config_dump").body.decode(), f"{text} at the sidecar")


def test_a_service_is_protected_by_tokens(mesh: Any, issuer: Issuer) -> None:
    mesh.control()
    vault, web = start(mesh, "vault"), start(mesh, "web")
    mesh.apply(TAKES_TOKENS.format(uri=issuer.uri))
    mesh.apply(NEEDS_ADMIN)
    wait_rule(mesh, vault, "policy[admins]")
    wait_rule(mesh, vault, json.loads(issuer.jwks)["keys"][0]["x"])

    def get(token: str = "") -> Any:
        return web.get("http://vault/a", **({"authorization": f"Bearer {token}"} if token else {}))

    admitted = get(issuer.sign(groups=["users", "admins"]))
    assert admitted.status == 200
    assert admitted.json["headers"]["x-user"] == "alice"
    assert "authorization" not in admitted.json["headers"]
    assert (get().status, get().body) == (403, DENIED)
    assert get(issuer.sign(groups=["users"])).status == 403
    assert (get("x").status, get(issuer.sign(exp=1)).body) == (401, b"Jwt is expired")
    assert get(issuer.sign(aud="bank")).body == b"Audiences in Jwt are not allowed"
    forged = jwt.encode({"iss": "https://issuer.example"}, ec.generate_private_key(ec.SECP256R1()), "ES256")
    assert get(forged).status in (401, 403)


def test_a_service_is_protected_by_the_callers_certificate(mesh: Any) -> None:
    mesh.control()
    ledger = start(mesh, "ledger")
    web, probe = start(mesh, "web", "web"), start(mesh, "probe", "probe")
    mesh.apply(ONLY_WEB_MAY_READ)
    wait_rule(mesh, ledger, "policy[no-secrets]")
    assert web.get("http://ledger/books/1?page=2").status == 200
    refused = probe.get("http://ledger/books/1")
    assert (refused.status, refused.body) == (403, DENIED)
    assert web.get("http://ledger/books/1/2").status == 403
    assert web.get("http://ledger/books/secret").status == 403
    assert web.get("http://ledger/books/1", method="DELETE").status == 403
    plaintext = mesh.http_get(f"http://{ledger.ports['inbound']}/books/1", host="ledger")
    assert (plaintext.status, plaintext.body) == (403, DENIED)
    mesh.run("delete", "authorizationpolicy", "web-reads")
    mesh.wait_until(lambda: probe.get("http://ledger/books/1").status == 200, "an open ledger")
    assert probe.get("http://ledger/books/secret").status == 403


def test_a_tcp_service_is_protected_by_the_callers_certificate(mesh: Any) -> None:
    mesh.control()
    database = mesh.tcp_app(b"hello ")
    db = mesh.proxy("db", database.port, "--app-protocol", "tcp")
    mesh.apply(ONLY_WEB_MAY_CONNECT)
    wait_rule(mesh, db, "policy[web-connects]")
    upstream = ("--upstream", f"0=db:{database.port}")
    web, probe = start(mesh, "web", "web", *upstream), start(mesh, "probe", "probe", *upstream)
    admitted, refused = (mesh.exchange(proxy.ports["upstreams"][0]["listen"], b"ping") for proxy in (web, probe))
    assert admitted == b"hello ping"
    assert refused == b""


ASK = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask}
spec:
  selector: {matchLabels: {app: ledger}}
  action: CUSTOM
  provider: {name: guard}
  rules:
  - to: [{operation: {paths: ["/status/*", "/asked"]}}]
"""
GUARD = """
extensionProviders:
- name: guard
  envoyExtAuthzHttp:
    service: guard.default.svc.cluster.local
    port: 80
    includeRequestHeadersInCheck: [x-user]
"""


def test_an_external_authorizer_is_asked(mesh: Any) -> None:
    """It answers `/status/N` with N."""
    authorizer = mesh.http_app("guard")
    config = mesh.state_dir / "mesh.yaml"
    config.write_text(GUARD)
    mesh.control("--mesh-config", str(config))
    mesh.proxy("guard", authorizer.port)
    ledger, web = start(mesh, "ledger"), start(mesh, "web")
    mesh.apply(ASK)
    wait_rule(mesh, ledger, "policy[ask]")
    assert web.get("http://ledger/asked").json["app"] == "ledger"
    assert authorizer.requests == 1
    refused = web.get("http://ledger/status/401")
    assert (refused.status, refused.json["app"]) == (401, "guard")
    assert web.get("http://ledger/free").status == 200
    assert authorizer.requests == 2


GRPC_GUARD = """
extensionProviders:
- name: guard
  envoyExtAuthzGrpc: {service: guard.example, port: 9000}
"""
GUARD_ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: guard}
spec:
  hosts: [guard.example]
  resolution: STATIC
  ports: [{number: 9000, name: grpc, protocol: GRPC}]
  endpoints: [{address: 127.0.0.1, ports: {grpc: %d}}]
"""


@pytest.fixture
def grpc_authorizer() -> Iterator[tuple[int, list[Any]]]:
    """Its port, and what it was asked. It refuses `/status/N` with N, and lets the rest pass with a header."""
    asked: list[Any] = []

    def check(question: Any, context: Any) -> Any:
        asked.append(question.attributes)
        path = question.attributes.request.http.path
        response = external_auth_pb2.CheckResponse()
        if path.startswith("/status/"):
            response.status.code = grpc.StatusCode.PERMISSION_DENIED.value[0]
            response.denied_response.status.code = int(path.rpartition("/")[2])
            response.denied_response.body = "refused"
        else:
            response.ok_response.headers.add().header.MergeFrom(HeaderValue(key="x-checked", value="yes"))
        return response

    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=external_auth_pb2.CheckRequest.FromString,
        response_serializer=external_auth_pb2.CheckResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", {"Check": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, asked
    server.stop(None)


def test_an_external_authorizer_is_asked_by_grpc(mesh: Any, grpc_authorizer: tuple[int, list[Any]]) -> None:
    port, asked = grpc_authorizer
    config = mesh.state_dir / "mesh.yaml"
    config.write_text(GRPC_GUARD)
    mesh.control("--mesh-config", str(config))
    mesh.apply(GUARD_ENTRY % port)
    ledger, web = start(mesh, "ledger", "ledger"), start(mesh, "web", "web")
    mesh.apply(ASK)
    wait_rule(mesh, ledger, "policy[ask]")
    answer = web.get("http://ledger/asked").json
    assert (answer["app"], answer["headers"]["x-checked"]) == ("ledger", "yes")
    assert asked[0].source.principal == "spiffe://cluster.local/ns/default/sa/web"
    assert asked[0].destination.principal == "spiffe://cluster.local/ns/default/sa/ledger"
    refused = web.get("http://ledger/status/401")
    assert (refused.status, refused.body) == (401, b"refused")
    assert web.get("http://ledger/free").status == 200
    assert len(asked) == 2
