"""What VirtualServices and DestinationRules make of a request: through real sidecars, seen by client and application.

One mesh for all: each test has a host of its own, so that its rule cannot be in the way of another's.
"""

import json
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}.test]
  http: {http}
"""

SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""

TO_PAYMENT = [{"destination": {"host": "payment"}}]
TO_V1 = [{"destination": {"host": "payment", "subset": "v1"}}]


class Shop:
    """web's sidecar is the client's; payment has v1 and v2."""

    def __init__(self, mesh: Any) -> None:
        self.mesh = mesh
        self.log = mesh.state_dir / "web.log"
        mesh.control()
        mesh.apply(SUBSETS)
        self.v1, self.v2 = mesh.http_app("v1"), mesh.http_app("v2")
        for version, app in (("v1", self.v1), ("v2", self.v2)):
            mesh.proxy("payment", app.port, "--version", version)
        self.web = mesh.proxy("web", mesh.http_app("web").port, "--access-log", str(self.log))

    def rule(self, name: str, *http: Any) -> str:
        """The URL of a host with these routes, known to web's sidecar."""
        self.mesh.apply(RULE.format(name=name, http=json.dumps(http)))
        self.wait_known(f'"{name}.test"')
        return f"http://{name}.test"

    def apply(self, text: str, known: str) -> None:
        self.mesh.apply(text)
        self.wait_known(known)

    def wait_known(self, text: str) -> None:
        self.mesh.wait_until(lambda: text in self.web.read_admin("/config_dump").body.decode(), f"{text} at web")

    def flags(self, path: str) -> str:
        """The response flags of the last request for `path` in web's access log."""

        def find() -> str | None:
            lines = [line for line in self.log.read_text().splitlines() if f" {path} HTTP" in line]
            return lines[-1].split('"', 2)[2].split()[1] if lines else None

        return str(self.mesh.wait_until(find, f"{path} in the access log"))


@pytest.fixture(scope="module")
def shop(module_mesh: Any) -> Iterator[Shop]:
    return Shop(module_mesh)


def test_matches_send_requests_to_subsets(shop: Shop) -> None:
    url = shop.rule(
        "matches",
        {
            "match": [{"headers": {"x-canary": {"exact": "yes"}}}],
            "route": [{"destination": {"host": "payment", "subset": "v2"}}],
        },
        {
            "match": [{"method": {"exact": "POST"}}, {"queryParams": {"v": {"regex": "2+"}}}],
            "route": [{"destination": {"host": "payment", "subset": "v2"}}],
        },
        {"route": TO_V1},
    )
    assert shop.web.get(url).json["app"] == "v1"
    assert shop.web.get(url, x_canary="yes").json["app"] == "v2"
    assert shop.web.get(url, x_canary="yes!").json["app"] == "v1"
    assert shop.web.get(url, method="POST").json["app"] == "v2"
    assert shop.web.get(url + "/?v=22").json["app"] == "v2"
    assert shop.web.get(url + "/?v=21").json["app"] == "v1"


def test_weights_split_the_requests(shop: Shop) -> None:
    url = shop.rule(
        "split",
        {
            "route": [
                {"destination": {"host": "payment", "subset": "v1"}, "weight": 80},
                {"destination": {"host": "payment", "subset": "v2"}, "weight": 20},
            ]
        },
    )
    apps = Counter(shop.web.get(url).json["app"] for _ in range(200))
    assert 15 <= apps["v2"] <= 70


def test_paths_authority_and_headers_are_rewritten(shop: Shop) -> None:
    url = shop.rule(
        "rewrite",
        {
            "match": [{"uri": {"prefix": "/api/"}}],
            "rewrite": {"uri": "/v1/", "authority": "pay.example.com"},
            "route": [
                {
                    "destination": {"host": "payment", "subset": "v1"},
                    "headers": {"request": {"set": {"x-set": "dest"}}, "response": {"add": {"x-added": "1"}}},
                }
            ],
            "headers": {
                "request": {"set": {"x-set": "route"}, "add": {"x-list": "b"}, "remove": ["x-gone"]},
                "response": {"remove": ["server"], "set": {"x-r": "2"}},
            },
        },
        {
            "match": [{"uri": {"regex": "/r/.*"}}],
            "rewrite": {"uriRegexRewrite": {"match": "/r/(.*)/(.*)", "rewrite": "/\\2/\\1"}},
            "route": TO_V1,
        },
    )
    answer = shop.web.get(url + "/api/pay?x=1", x_gone="1", x_list="a")
    seen = answer.json
    assert seen["path"] == "/v1/pay?x=1"
    assert seen["headers"]["x-envoy-original-path"] == "/api/pay?x=1"
    assert seen["headers"]["host"] == "pay.example.com"
    assert "x-gone" not in seen["headers"]
    assert answer.headers["x-added"] == "1"
    assert answer.headers["x-r"] == "2"
    assert shop.web.get(url + "/r/a/b").json["path"] == "/b/a"


def test_redirect_and_direct_response(shop: Shop) -> None:
    url = shop.rule(
        "answers",
        {
            "match": [{"uri": {"prefix": "/old"}}],
            "redirect": {"uri": "/new", "authority": "n.test", "redirectCode": 308},
        },
        {"match": [{"uri": {"prefix": "/direct"}}], "directResponse": {"status": 418, "body": {"string": "tea"}}},
        {"match": [{"uri": {"prefix": "/secure"}}], "redirect": {"scheme": "https"}},
    )
    answer = shop.web.get(url + "/old/1?q=1")
    assert (answer.status, answer.headers["location"]) == (308, "http://n.test/new?q=1")
    answer = shop.web.get(url + "/secure/1?q=1")
    assert (answer.status, answer.headers["location"]) == (301, "https://answers.test/secure/1?q=1")
    answer = shop.web.get(url + "/direct")
    assert (answer.status, answer.body) == (418, b"tea")
    answer = shop.web.get(url + "/none")
    assert answer.status == 404
    assert shop.flags("/none") == "NR"


def test_timeout_is_504_ut(shop: Shop) -> None:
    url = shop.rule("timeout", {"timeout": "0.3s", "route": TO_V1})
    begin = time.monotonic()
    answer = shop.web.get(url + "/slow/1.5")
    assert (answer.status, answer.body) == (504, b"upstream request timeout")
    assert time.monotonic() - begin < 1
    assert shop.flags("/slow/1.5") == "UT"


def test_each_try_has_its_own_timeout(shop: Shop) -> None:
    url = shop.rule("pertry", {"retries": {"attempts": 2, "perTryTimeout": "0.2s", "retryOn": "5xx"}, "route": TO_V1})
    before = shop.v1.requests
    answer = shop.web.get(url + "/slow/0.9")
    assert (answer.status, answer.body) == (504, b"upstream request timeout")
    assert shop.v1.requests - before == 3
    assert set(shop.flags("/slow/0.9").split(",")) == {"UT", "URX"}


def test_a_5xx_is_retried_as_often_as_allowed(shop: Shop) -> None:
    url = shop.rule("r5xx", {"retries": {"attempts": 3, "retryOn": "5xx"}, "route": TO_V1})
    before = shop.v1.requests
    answer = shop.web.get(url + "/status/503")
    assert answer.status == 503
    assert shop.v1.requests - before == 4
    assert shop.flags("/status/503") == "URX"


def test_a_503_is_not_retried_by_default_and_nothing_is_with_zero_attempts(shop: Shop) -> None:
    url = shop.rule("rdefault", {"route": TO_V1})
    before = shop.v1.requests
    assert shop.web.get(url + "/status/503?default").status == 503
    assert shop.v1.requests - before == 1
    url = shop.rule("rnone", {"retries": {"attempts": 0}, "route": TO_V1})
    assert shop.web.get(url + "/status/503?none").status == 503
    assert shop.v1.requests - before == 2


def test_faults_abort_and_delay(shop: Shop) -> None:
    url = shop.rule(
        "fault",
        {
            "match": [{"uri": {"prefix": "/abort"}}],
            "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}},
            "route": TO_V1,
        },
        {
            "match": [{"uri": {"prefix": "/delay"}}],
            "fault": {"delay": {"fixedDelay": "0.3s", "percentage": {"value": 100}}},
            "route": TO_V1,
        },
        {
            "match": [{"uri": {"prefix": "/half"}}],
            "fault": {"abort": {"httpStatus": 503, "percentage": {"value": 50}}},
            "route": TO_V1,
        },
        {
            "match": [{"uri": {"prefix": "/both"}}],
            "fault": {
                "delay": {"fixedDelay": "0.1s", "percentage": {"value": 100}},
                "abort": {"httpStatus": 503, "percentage": {"value": 100}},
            },
            "route": TO_V1,
        },
    )
    answer = shop.web.get(url + "/abort")
    assert (answer.status, answer.body) == (418, b"fault filter abort")
    assert shop.flags("/abort") == "FI"
    begin = time.monotonic()
    answer = shop.web.get(url + "/delay")
    assert answer.status == 200
    assert time.monotonic() - begin > 0.29
    assert shop.flags("/delay") == "DI"
    c = Counter(shop.web.get(url + "/half").status for _ in range(100))
    assert 25 < c[200] < 75
    assert shop.web.get(url + "/both").status == 503
    assert shop.flags("/both") == "DI,FI"


def test_a_mirror_gets_a_copy_of_each_request(shop: Shop) -> None:
    url = shop.rule("mirror", {"route": TO_V1, "mirror": {"host": "payment", "subset": "v2"}})
    b1, b2 = shop.v1.requests, shop.v2.requests
    for _ in range(10):
        assert shop.web.get(url + "/m", method="POST", body=b"abc").json["length"] == 3
    shop.mesh.wait_until(lambda: shop.v2.requests - b2 == 10, "mirrors")
    assert shop.v1.requests - b1 == 10


def test_an_unknown_subset_is_nc_and_a_service_without_endpoints_uh(shop: Shop) -> None:
    url = shop.rule("nc", {"route": [{"destination": {"host": "payment", "subset": "v9"}}]})
    answer = shop.web.get(url + "/nc")
    assert answer.status == 503
    assert shop.flags("/nc") == "NC"
    shop.mesh.apply("""
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {ports: [{port: 80, name: http}], selector: {app: nobody}}
""")
    shop.wait_known("empty.default")
    answer = shop.web.get("http://empty/uh")
    assert (answer.status, answer.body) == (503, b"no healthy upstream")
    assert shop.flags("/uh") == "UH"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def external(name, service_port, policy, resolution="STATIC", address="127.0.0.1", endpoints=None):
    endpoints = endpoints or [{"address": address, "ports": {"http": service_port}}]
    return (
        json.dumps(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "ServiceEntry",
                "metadata": {"name": name},
                "spec": {
                    "hosts": [name + ".ext"],
                    "resolution": resolution,
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "endpoints": endpoints,
                },
            }
        )
        + "\n---\n"
        + json.dumps(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "DestinationRule",
                "metadata": {"name": name},
                "spec": {"host": name + ".ext", "trafficPolicy": policy},
            }
        )
    )


def test_more_than_the_connection_pool_allows_is_503_uo(shop: Shop) -> None:
    app = shop.mesh.http_app("ext")
    shop.apply(
        external(
            "overflow",
            app.port,
            {"connectionPool": {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}}},
        ),
        "outbound|80||overflow.ext",
    )
    # While the one connection is being opened, the request that opens it is pending too: open it before.
    assert shop.web.get("http://overflow.ext/").status == 200
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(shop.web.get("http://overflow.ext/slow/1.5?o")))
        for _ in range(6)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert Counter(answer.status for answer in answers) == {200: 2, 503: 4}
    assert {answer.headers.get("x-envoy-overloaded") for answer in answers if answer.status == 503} == {"true"}


def test_an_endpoint_that_refuses_connections_is_503_uf(shop: Shop) -> None:

    port = closed_port()
    shop.apply(external("refused", port, {"loadBalancer": {"simple": "ROUND_ROBIN"}}), "outbound|80||refused.ext")
    answer = shop.web.get("http://refused.ext/uf")
    assert answer.status == 503
    assert set(shop.flags("/uf").split(",")) == {"UF", "URX"}


def test_a_refused_connection_is_hidden_by_a_retry_at_another_endpoint(shop: Shop) -> None:

    app = shop.mesh.http_app("ext")
    port = closed_port()
    shop.apply(
        external(
            "halfdead",
            port,
            {"loadBalancer": {"simple": "ROUND_ROBIN"}},
            endpoints=[{"address": "127.0.0.1", "ports": {"http": p}} for p in (port, app.port)],
        ),
        "outbound|80||halfdead.ext",
    )
    assert Counter(shop.web.get("http://halfdead.ext/").status for _ in range(30)) == {200: 30}


def test_an_outlier_is_ejected_and_comes_back(shop: Shop) -> None:
    good = shop.mesh.http_app("good")

    state = {"bad": True}

    class Flaky(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                self.wfile.write(
                    b"HTTP/1.1 %s\r\ncontent-length: 3\r\n\r\nbad" % (b"500 oops" if state["bad"] else b"200 OK")
                )

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Flaky)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    shop.apply(
        external(
            "outlier",
            port,
            {
                "outlierDetection": {
                    "consecutive5xxErrors": 3,
                    "interval": "0.2s",
                    "baseEjectionTime": "1s",
                    "maxEjectionPercent": 100,
                }
            },
            endpoints=[{"address": "127.0.0.1", "ports": {"http": p}} for p in (port, good.port)],
        ),
        "outbound|80||outlier.ext",
    )
    c = Counter(shop.web.get("http://outlier.ext/").status for _ in range(40))
    assert c[500] == 3
    state["bad"] = False
    shop.mesh.wait_until(lambda: shop.web.get("http://outlier.ext/").body == b"bad", "return")
    server.shutdown()
    server.server_close()


def test_a_consistent_hash_keeps_callers_with_their_endpoint(shop: Shop) -> None:
    apps = [shop.mesh.http_app(f"h{i}") for i in range(4)]
    eps = [{"address": "127.0.0.1", "ports": {"http": a.port}} for a in apps]
    for name, ch in (
        ("hheader", {"httpHeaderName": "x-user"}),
        ("hcookie", {"httpCookie": {"name": "sticky", "ttl": "60s"}}),
        ("hip", {"useSourceIp": True}),
        ("hquery", {"httpQueryParameterName": "u"}),
    ):
        shop.apply(
            external(name, 0, {"loadBalancer": {"consistentHash": ch}}, endpoints=eps), f"outbound|80||{name}.ext"
        )
    by = {u: {shop.web.get("http://hheader.ext/", x_user=u).json["app"] for _ in range(5)} for u in map(str, range(20))}
    assert all(len(x) == 1 for x in by.values())
    assert len(set.union(*by.values())) > 2
    answer = shop.web.get("http://hcookie.ext/")
    assert answer.headers["set-cookie"].startswith("sticky=")
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert {shop.web.get("http://hcookie.ext/", cookie=cookie).json["app"] for _ in range(5)} == {answer.json["app"]}
    assert len({shop.web.get("http://hip.ext/").json["app"] for _ in range(8)}) == 1
    by = {u: {shop.web.get("http://hquery.ext/?u=" + u).json["app"] for _ in range(5)} for u in map(str, range(20))}
    assert all(len(x) == 1 for x in by.values())
    assert len(set.union(*by.values())) > 2


def test_a_service_entry_is_resolved_by_dns(shop: Shop) -> None:
    app = shop.mesh.http_app("dns")
    shop.apply(
        external("dns", app.port, {"loadBalancer": {"simple": "ROUND_ROBIN"}}, resolution="DNS", address="localhost"),
        "outbound|80||dns.ext",
    )
    assert (
        shop.mesh.wait_until(lambda: (x := shop.web.get("http://dns.ext/")).status == 200 and x, "dns").json["app"]
        == "dns"
    )


def test_a_preflight_is_answered_and_a_response_is_marked_for_the_browser(shop: Shop) -> None:
    policy = {"allowOrigins": [{"exact": "https://shop"}], "allowMethods": ["GET", "PUT"], "maxAge": "10m"}
    url = shop.rule("cors", {"corsPolicy": policy, "route": TO_V1})
    before = shop.v1.requests
    answer = shop.web.get(url, method="OPTIONS", origin="https://shop", access_control_request_method="PUT")
    assert (answer.status, answer.headers["access-control-allow-methods"]) == (200, "GET,PUT")
    assert (answer.headers["access-control-allow-origin"], shop.v1.requests) == ("https://shop", before)
    assert shop.web.get(url, origin="https://shop").headers["access-control-allow-origin"] == "https://shop"
    assert "access-control-allow-origin" not in shop.web.get(url, origin="https://evil").headers


def test_a_route_may_be_delegated(shop: Shop) -> None:
    shop.mesh.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: delegate}
spec:
  http:
  - match: [{uri: {prefix: /api/v1}}]
    route: [{destination: {host: payment, subset: v1}}]
""")
    match = [{"uri": {"prefix": "/api"}}]
    url = shop.rule("root", {"match": match, "delegate": {"name": "delegate"}}, {"directResponse": {"status": 404}})
    assert shop.web.get(f"{url}/api/v1/x").json["app"] == "v1"
    assert shop.web.get(f"{url}/api/x").status == 404


def test_a_service_is_known_by_all_its_names(shop: Shop) -> None:
    for host in (
        "payment",
        "payment:80",
        "payment.default",
        "payment.default:80",
        "payment.default.svc",
        "payment.default.svc.cluster.local",
        "payment.default.svc.cluster.local:80",
        "PAYMENT",
        "payment.default.svc.cluster.local.",
    ):
        answer = shop.web.get(f"http://{host}/")
        b = shop.mesh.http_get("http://" + shop.web.ports["outbound"] + "/", host=host)
        assert answer.status == b.status == 200


def test_hosts_outside_the_mesh_are_reached_unless_nobody_knows_them(shop: Shop) -> None:
    app = shop.mesh.http_app("outside")
    answer = shop.web.get(f"http://127.0.0.1:{app.port}/x")
    assert answer.json["app"] == "outside"
    answer = shop.web.get(f"http://localhost:{app.port}/x")
    assert answer.json["app"] == "outside"
    assert "x-envoy-peer-metadata" not in answer.json["headers"]
    answer = shop.web.get("http://nowhere.invalid/df")
    assert answer.status == 503
