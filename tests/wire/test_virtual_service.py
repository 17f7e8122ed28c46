"""VirtualService, field by field: what of a request decides, and what becomes of the request."""

from typing import Any

import pytest

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop, shop.example.com]
  http:
"""
SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
"""
TO_V1 = "{route: [{destination: {host: shop, subset: v1}}]}"
V2 = "route: [{destination: {host: shop, subset: v2}}]"


def rule(*routes: str) -> str:
    return "---".join([RULE + "".join(f"  - {route}\n" for route in routes), SUBSETS])


# What matches, and what does not.
MATCHES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("uri: {exact: /pay}", {"path": "/pay?x=1"}, {"path": "/pay/"}),
    ("uri: {prefix: /pay}", {"path": "/payment"}, {"path": "/Pay"}),
    ("uri: {regex: '/p.y'}", {"path": "/pay"}, {"path": "/payment"}),
    ("{uri: {exact: /pay}, ignoreUriCase: true}", {"path": "/PAY"}, {"path": "/PAYMENT"}),
    ("scheme: {exact: http}", {}, None),
    ("scheme: {prefix: ht}", {}, None),
    ("scheme: {regex: 'https?'}", {}, None),
    ("method: {exact: POST}", {"method": "POST"}, {"method": "GET"}),
    ("method: {prefix: P}", {"method": "PUT"}, {"method": "GET"}),
    ("method: {regex: 'P(OS|U)T'}", {"method": "PUT"}, {"method": "PATCH"}),
    ("authority: {exact: shop}", {}, {"host": "shop.example.com"}),
    ("authority: {prefix: shop.ex}", {"host": "shop.example.com"}, {}),
    ("authority: {regex: 'shop[.].*'}", {"host": "shop.example.com"}, {}),
    ("headers: {x-user: {exact: ann}}", {"x_user": "ann"}, {"x_user": "Ann"}),
    ("headers: {x-user: {prefix: an}}", {"x_user": "ann"}, {"x_user": "dan"}),
    ("headers: {x-user: {regex: 'a.n'}}", {"x_user": "ann"}, {"x_user": "anna"}),
    ("headers: {x-user: {}}", {"x_user": "ann"}, {}),
    ("withoutHeaders: {x-user: {exact: ann}}", {}, {"x_user": "ann"}),
    ("withoutHeaders: {x-user: {prefix: an}}", {"x_user": "dan"}, {"x_user": "ann"}),
    ("withoutHeaders: {x-user: {regex: 'a.*'}}", {}, {"x_user": "anna"}),
    ("withoutHeaders: {x-user: {}}", {}, {"x_user": "ann"}),
    ("queryParams: {user: {exact: ann}}", {"path": "/?a=1&user=ann"}, {"path": "/?user=anna"}),
    ("queryParams: {user: {prefix: an}}", {"path": "/?user=anna"}, {"path": "/?user=dan"}),
    ("queryParams: {user: {regex: 'a+'}}", {"path": "/?user=aa"}, {"path": "/?user=ab"}),
    ("{port: 80}", {}, None),
    ("sourceLabels: {app: web}", {}, None),
    ("sourceNamespace: default", {}, None),
    ("{gateways: [mesh]}", {}, None),
]
NEVER = [
    "{port: 81}",
    "sourceLabels: {app: other}",
    "sourceNamespace: other",
    "{gateways: [edge]}",
    "scheme: {prefix: https}",
]


@pytest.mark.parametrize(("match", "matching", "other"), MATCHES)
async def test_a_request_is_matched_by(mesh: Any, match: str, matching: dict, other: dict | None) -> None:
    await mesh.start("v1", "v2")
    block = match if match.startswith("{") else f"{{{match}}}"
    async with mesh.sidecar(rule(f"{{match: [{block}], {V2}}}", TO_V1), labels={"app": "web"}) as web:
        assert (await get(web, **matching)).app == "v2"
        if other is not None:
            assert (await get(web, **other)).app == "v1"


@pytest.mark.parametrize("match", NEVER)
async def test_a_request_is_not_matched_by(mesh: Any, match: str) -> None:
    await mesh.start("v1", "v2")
    block = match if match.startswith("{") else f"{{{match}}}"
    async with mesh.sidecar(rule(f"{{match: [{block}], {V2}}}", TO_V1), labels={"app": "web"}) as web:
        assert (await get(web)).app == "v1"


async def get(web: Any, path: str = "/", **fields: str) -> Any:
    return await web.get(f"http://{fields.get('host', 'shop')}{path}", **fields)


async def test_headers_of_a_destination_are_changed_both_ways(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    mesh.apps["v1"].headers = {"x-gone": "1", "x-set": "old"}
    headers = """{request: {set: {x-a: set}, add: {x-b: more}, remove: [x-c]},
      response: {set: {x-set: new}, add: {x-added: yes}, remove: [x-gone]}}"""
    route = f"{{route: [{{destination: {{host: shop, subset: v1}}, headers: {headers}}}]}}"
    async with mesh.sidecar(rule(route.replace("yes", "'yes'"))) as web:
        answer = await web.get("http://shop/", x_a="old", x_b="one", x_c="gone")
    seen = answer.seen["headers"]
    assert (seen["x-a"], "x-c" in seen) == ("set", False)
    assert seen["x-b"] == "more"  # of two lines of one name, the later one
    assert (answer.headers["x-set"], answer.headers["x-added"], "x-gone" in answer.headers) == ("new", "yes", False)


async def test_an_abort_with_a_grpc_status_is_an_answer_of_grpc(mesh: Any) -> None:
    await mesh.start("v1")
    fault = (
        "{fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}, route: [{destination: {host: shop}}]}"
    )
    async with mesh.sidecar(rule(fault)) as web:
        answer = await web.get("http://shop/", content_type="application/grpc")
    assert (answer.status, answer.headers["grpc-status"]) == (200, "14")
    assert mesh.apps["v1"].requests == []


@pytest.mark.parametrize(
    "mirror",
    [
        "mirror: {host: shop, subset: v2, port: {number: 80}}, mirrorPercentage: {value: 100}",
        "mirror: {host: shop, subset: v2}",
        "mirror: {host: shop, subset: v2}, mirrorPercent: 100",
        "mirrors: [{destination: {host: shop, subset: v2, port: {number: 80}}, percentage: {value: 100}}]",
    ],
)
async def test_a_copy_goes_to_the_mirror(mesh: Any, mirror: str) -> None:
    await mesh.start("v1", "v2")
    async with mesh.sidecar(rule(f"{{route: [{{destination: {{host: shop, subset: v1}}}}], {mirror}}}")) as web:
        assert (await web.get("http://shop/pay")).app == "v1"
        await mesh.wait_until(lambda: mesh.apps["v2"].requests)
    assert mesh.apps["v2"].requests[0]["target"] == "/pay"


@pytest.mark.parametrize("mirror", ["mirrorPercentage: {value: 0}", "mirrorPercent: 0"])
async def test_no_copy_is_made_of_none_in_a_hundred(mesh: Any, mirror: str) -> None:
    await mesh.start("v1", "v2")
    to_v1 = "route: [{destination: {host: shop, subset: v1}}], mirror: {host: shop, subset: v2}"
    async with mesh.sidecar(rule(f"{{{to_v1}, {mirror}}}")) as web:
        answers = [await web.get("http://shop/") for _ in range(10)]
    assert [answer.app for answer in answers] == ["v1"] * 10
    assert mesh.apps["v2"].requests == []


@pytest.mark.parametrize(
    ("redirect", "code", "location"),
    [
        ("{uri: /new}", 301, "http://shop/new?x=1"),
        ("{prefixRewrite: /new}", 301, "http://shop/new/pay?x=1"),
        ("{authority: other, redirectCode: 307}", 307, "http://other/old/pay?x=1"),
        ("{scheme: https, port: 8443}", 301, "https://shop:8443/old/pay?x=1"),
        ("{scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}", 301, "https://shop/old/pay?x=1"),
    ],
)
async def test_a_redirect_is_answered(mesh: Any, redirect: str, code: int, location: str) -> None:
    async with mesh.sidecar(rule(f"{{match: [{{uri: {{prefix: /old}}}}], redirect: {redirect}}}")) as web:
        answer = await web.get("http://shop/old/pay?x=1")
    assert (answer.status, answer.headers["location"]) == (code, location)


@pytest.mark.parametrize(
    ("rewrite", "target", "host"),
    [
        ("{uri: /new}", "/new/pay", "shop"),
        ("{authority: other}", "/old/pay", "other"),
        ("{uriRegexRewrite: {match: '/old/(.*)', rewrite: '/\\1/new'}}", "/pay/new", "shop"),
    ],
)
async def test_a_request_is_rewritten(mesh: Any, rewrite: str, target: str, host: str) -> None:
    await mesh.start("v1")
    route = f"{{match: [{{uri: {{prefix: /old}}}}], rewrite: {rewrite}, route: [{{destination: {{host: shop}}}}]}}"
    async with mesh.sidecar(rule(route)) as web:
        seen = (await web.get("http://shop/old/pay")).seen
    assert (seen["target"], seen["headers"]["host"]) == (target, host)


@pytest.mark.parametrize("body", ["string: gone", "bytes: Z29uZQ=="])
async def test_a_direct_response_is_answered(mesh: Any, body: str) -> None:
    async with mesh.sidecar(rule(f"{{directResponse: {{status: 410, body: {{{body}}}}}}}")) as web:
        answer = await web.get("http://shop/")
    assert (answer.status, answer.body) == (410, b"gone")
