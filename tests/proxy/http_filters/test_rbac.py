from typing import Any

import pytest

from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import rbac
from pymesh.proxy.http_filters.rbac import RbacConfig, decode_rbac_filter
from pymesh.proxy.telemetry.metric_names import DRY_RUN_ALLOW_DENIED, RBAC_ALLOWED, RBAC_DENIED, RBAC_SHADOW_DENIED

GET = b"GET /%b HTTP/1.1\r\nHost: shop\r\n\r\n"
ONLY_A = {
    "permissions": [{"url_path": {"path": {"exact": "/a"}}}],
    "principals": [{"any": True}],
}


def decode(action: str, key: str = "rules") -> RbacConfig:
    return decode_rbac_filter(Reader({key: {"action": action, "policies": {"ns[x]-policy[p]-rule[0]": ONLY_A}}}))


def use(proxy: Any, config: RbacConfig) -> Any:
    proxy.route(proxy.forward(), filters=(HttpFilterConfig(rbac.NAME, rbac.FACTORY, config),))
    return proxy.connect()


def count(proxy: Any, metric: Any) -> int:
    return proxy.context.telemetry.metrics.counter(metric).value


async def test_what_is_denied_gets_envoys_403(proxy: Any) -> None:
    client = use(proxy, decode("DENY"))
    client.send(GET % b"a")
    assert client.received.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert client.received.endswith(b"\r\n\r\nRBAC: access denied")
    assert proxy.info.response_code_details == "rbac_access_denied_matched_policy[ns[x]-policy[p]-rule[0]]"
    assert (count(proxy, RBAC_ALLOWED), count(proxy, RBAC_DENIED)) == (0, 1)
    assert proxy.servers == []


async def test_what_no_policy_allows_is_denied_by_none(proxy: Any) -> None:
    client = use(proxy, decode("ALLOW"))
    client.send(GET % b"b")
    assert proxy.info.response_code_details == "rbac_access_denied_matched_policy[none]"


async def test_what_is_allowed_goes_on(proxy: Any) -> None:
    client = use(proxy, decode("ALLOW"))
    client.send(GET % b"a")
    assert (await proxy.server()).received.startswith(b"GET /a ")
    assert (count(proxy, RBAC_ALLOWED), count(proxy, RBAC_DENIED)) == (1, 0)


async def test_a_shadow_rule_only_says_what_it_would_do(proxy: Any) -> None:
    client = use(proxy, decode("DENY", "shadow_rules"))
    client.send(GET % b"a")
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert proxy.info.dynamic_metadata[rbac.NAME] == {
        "shadow_engine_result": "denied",
        "shadow_effective_policy_id": "ns[x]-policy[p]-rule[0]",
    }
    assert count(proxy, RBAC_SHADOW_DENIED) == 1


async def test_what_a_tried_policy_would_do_is_counted_by_its_action(proxy: Any) -> None:
    policies = {"ns[x]-policy[p]-rule[0]": ONLY_A}
    shadow = {"shadow_rules": {"action": "ALLOW", "policies": policies}}
    client = use(proxy, decode_rbac_filter(Reader({**shadow, "shadow_rules_stat_prefix": "istio_dry_run_allow_"})))
    client.send(GET % b"b")
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 200 ")
    assert (count(proxy, DRY_RUN_ALLOW_DENIED), count(proxy, RBAC_SHADOW_DENIED)) == (1, 0)
    assert proxy.info.dynamic_metadata[rbac.NAME] == {"istio_dry_run_allow_shadow_engine_result": "denied"}


@pytest.mark.parametrize(("path", "is_hinted"), [(b"a", True), (b"b", False)])
async def test_what_is_audited_goes_on_with_a_mark(proxy: Any, path: bytes, is_hinted: bool) -> None:
    client = use(proxy, decode("LOG"))
    client.send(GET % path)
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert proxy.info.dynamic_metadata["envoy.common"] == {"access_log_hint": is_hinted}
