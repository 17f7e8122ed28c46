from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.rbac_engine.decoder import decode_rbac
from pymesh.proxy.rbac_engine.engine import RbacEngine, response_details
from pymesh.proxy.tls.peer_identity import PeerIdentity

WEB = PeerIdentity(("spiffe://cluster.local/ns/default/sa/web",), (), "", "")
ANY = {"any": True}


@pytest.fixture
def make_call(make_request: Any) -> Any:
    def make(path: bytes = b"/", headers: dict[str, str] | None = None, **fields: Any) -> Any:
        defaults = {
            "direct_remote_address": "10.0.0.1:1234",
            "peer": None,
            "requested_server_name": "",
            "dynamic_metadata": {},
        }
        return make_request(path, headers, **defaults | fields)

    return make


def engine(action: str = "ALLOW", **policies: Any) -> RbacEngine:
    config = {"action": action, "policies": {f"policy[{name}]": policy for name, policy in policies.items()}}
    reader = Reader(config)
    decoded = decode_rbac(reader)
    reader.reject_unread()
    return RbacEngine(decoded)


def policy(permission: Any = ANY, principal: Any = ANY) -> dict[str, Any]:
    return {"permissions": [permission], "principals": [principal]}


def test_without_a_matching_policy_allow_denies_and_deny_allows(make_call: Any) -> None:
    never = policy({"not_rule": ANY})
    assert engine("ALLOW", a=never).judge(make_call()) == (False, "")
    assert engine("DENY", a=never).judge(make_call()) == (True, "")
    assert engine("ALLOW").judge(make_call()) == (False, "")


def test_the_first_policy_by_name_that_matches_is_the_one_that_decided(make_call: Any) -> None:
    assert engine("DENY", b=policy(), a=policy()).judge(make_call()) == (False, "policy[a]")


def test_log_lets_everything_pass(make_call: Any) -> None:
    assert engine("LOG", a=policy()).judge(make_call()).is_allowed


def test_a_policy_needs_a_permission_and_a_principal(make_call: Any) -> None:
    one = {"permissions": [{"not_rule": ANY}, ANY], "principals": [{"not_id": ANY}]}
    assert not engine(a=one).judge(make_call()).is_allowed


@pytest.mark.parametrize(
    ("permission", "matching", "other"),
    [
        ({"header": {"name": ":method", "string_match": {"exact": "GET"}}}, {}, {"method": b"POST"}),
        (
            {"header": {"name": ":authority", "string_match": {"suffix": ".COM", "ignore_case": True}}},
            {"authority": b"a.com"},
            {"authority": b"a.org"},
        ),
        ({"url_path": {"path": {"exact": "/a"}}}, {"path": b"/a?b=/c"}, {"path": b"/a/"}),
        ({"destination_port": 80}, {}, {"local_address": "10.0.0.2:81"}),
        ({"destination_port_range": {"start": 80, "end": 81}}, {}, {"local_address": "10.0.0.2:81"}),
        (
            {"destination_ip": {"address_prefix": "10.0.0.0", "prefix_len": 24}},
            {},
            {"local_address": "10.0.1.2:80"},
        ),
        (
            {"requested_server_name": {"exact": "shop"}},
            {"requested_server_name": "shop"},
            {"requested_server_name": ""},
        ),
        ({"and_rules": {"rules": [ANY, {"destination_port": 80}]}}, {}, {"local_address": "10.0.0.2:81"}),
        (
            {"or_rules": {"rules": [{"destination_port": 1}, {"destination_port": 80}]}},
            {},
            {"local_address": "10.0.0.2:81"},
        ),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_a_permission_is_of_what_is_called(make_call: Any, permission: Any, matching: Any, other: Any) -> None:
    compiled = engine(a=policy(permission))
    assert compiled.judge(make_call(**matching)).is_allowed
    assert not compiled.judge(make_call(**other)).is_allowed


@pytest.mark.parametrize(
    ("principal", "matching", "other"),
    [
        ({"authenticated": {}}, {"peer": WEB}, {}),
        ({"authenticated": {"principal_name": {"prefix": "spiffe://cluster.local/"}}}, {"peer": WEB}, {}),
        (
            {"authenticated": {"principal_name": {"exact": "web.shop"}}},
            {"peer": PeerIdentity((), ("web.shop",), "CN=x", "")},
            {"peer": WEB},
        ),
        (
            {"direct_remote_ip": {"address_prefix": "10.0.0.1", "prefix_len": 32}},
            {"remote_address": "192.0.2.1:1"},
            {"direct_remote_address": "10.0.0.2:1"},
        ),
        (
            {"remote_ip": {"address_prefix": "2001:db8::", "prefix_len": 32}},
            {"remote_address": "[2001:db8::1]:1"},
            {"remote_address": "10.0.0.1:1"},
        ),
        (
            {"remote_ip": {"address_prefix": "10.0.0.1", "prefix_len": 32}},
            {"remote_address": "[::ffff:10.0.0.1]:1"},
            {"remote_address": "[::1]:1"},
        ),
        ({"header": {"name": "x-user", "present_match": True}}, {"headers": {"x-user": ""}}, {}),
        (
            {"not_id": {"or_ids": {"ids": [{"header": {"name": "x-user", "present_match": True}}]}}},
            {},
            {"headers": {"x-user": "a"}},
        ),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_a_principal_is_who_calls(make_call: Any, principal: Any, matching: Any, other: Any) -> None:
    compiled = engine(a=policy(ANY, principal))
    assert compiled.judge(make_call(**matching)).is_allowed
    assert not compiled.judge(make_call(**other)).is_allowed


@pytest.mark.parametrize(
    ("payload", "is_allowed"),
    [({"role": "admin"}, True), ({"role": ["user", "admin"]}, True), ({"role": "user"}, False), ({}, False)],
)
def test_a_claim_is_a_string_or_a_list_that_has_it(make_call: Any, payload: Any, is_allowed: bool) -> None:
    value = {"string_match": {"exact": "admin"}}
    claim = {
        "filter": "jwt",
        "path": [{"key": "payload"}, {"key": "role"}],
        "value": {"or_match": {"value_matchers": [{"list_match": {"one_of": value}}, value]}},
    }
    compiled = engine(a=policy(ANY, {"metadata": claim}))
    assert compiled.judge(make_call(dynamic_metadata={"jwt": {"payload": payload}})).is_allowed == is_allowed


@pytest.mark.parametrize(
    ("template", "path", "is_allowed"),
    [
        ("/a/*/c", b"/a/b/c?q", True),
        ("/a/*/c", b"/a/b/b/c", False),
        ("/a/*/c", b"/a//c", False),
        ("/a/**", b"/a/b/c", True),
        ("/a/**", b"/a/", True),
        ("/a/**", b"/a", False),
        ("/a.b/*", b"/aXb/c", False),
    ],
)
def test_a_template_stands_for_whole_segments(make_call: Any, template: str, path: bytes, is_allowed: bool) -> None:
    config = {
        "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
        "path_template": template,
    }
    compiled = engine(a=policy({"uri_template": {"name": "t", "typed_config": config}}))
    assert compiled.judge(make_call(path)).is_allowed == is_allowed


def test_the_details_of_a_denial_name_the_policy_without_blanks() -> None:
    assert response_details("") == "rbac_access_denied_matched_policy[none]"
    assert response_details("ns[a]-policy[b c]") == "rbac_access_denied_matched_policy[ns[a]-policy[b_c]]"


@pytest.mark.parametrize(
    ("rbac", "path"),
    [
        ({"policies": {"p[1]": {"principals": [ANY]}}}, "policies.p[1].permissions"),
        ({"policies": {"p[1]": policy({})}}, "policies.p[1].permissions[0].rule"),
        ({"policies": {"p[1]": policy({"any": False})}}, "policies.p[1].permissions[0].any"),
        ({"policies": {"p[1]": policy(ANY, {"remote_ip": {"address_prefix": "x"}})}}, "policies.p[1].principals[0]"),
        ({"action": "MAYBE"}, "action"),
    ],
)
def test_a_bad_policy_is_refused_with_its_path(rbac: Any, path: str) -> None:
    with pytest.raises(DecodeError) as raised:
        decode_rbac(Reader(rbac))
    assert str(raised.value).startswith(path)
