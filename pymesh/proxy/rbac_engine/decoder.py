"""envoy.config.rbac.v3.RBAC from JSON.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/rbac/v3/rbac.proto
"""

from collections.abc import Callable
from ipaddress import ip_network

from pymesh.protojson import Reader
from pymesh.proxy.matchers.header_matcher import decode_header_matcher
from pymesh.proxy.matchers.metadata_matcher import decode_metadata_matcher
from pymesh.proxy.matchers.string_matcher import decode_string_matcher
from pymesh.proxy.rbac_engine.path_template import check_template
from pymesh.proxy.rbac_engine.rule import (
    DESTINATION,
    DIRECT,
    REMOTE,
    AllOf,
    Always,
    AnyOf,
    Authenticated,
    DestinationPort,
    Header,
    Ip,
    Metadata,
    Not,
    PathTemplate,
    Policy,
    Rbac,
    RequestedServerName,
    Rule,
    UrlPath,
)

ACTIONS = ("ALLOW", "DENY", "LOG")
_TEMPLATE = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"

_Decode = Callable[[Reader, str], Rule]


def decode_rbac(reader: Reader) -> Rbac:
    """Raises DecodeError."""
    policies = sorted(reader.named_objects("policies").items())
    return Rbac(reader.enum("action", ACTIONS), tuple((name, _decode_policy(policy)) for name, policy in policies))


def _decode_policy(reader: Reader) -> Policy:
    permissions = tuple(_decode(item, _PERMISSIONS) for item in reader.objects("permissions"))
    principals = tuple(_decode(item, _PRINCIPALS) for item in reader.objects("principals"))
    if not permissions or not principals:
        reader.fail("permissions" if not permissions else "principals", "is required")
    return Policy(permissions, principals)


def _decode(reader: Reader, kinds: dict[str, _Decode]) -> Rule:
    kind = reader.oneof(*kinds)
    if kind is None:
        reader.fail("rule", f"one of {', '.join(kinds)} is required")
    return kinds[kind](reader, kind)


def _any(reader: Reader, key: str) -> Rule:
    if not reader.boolean(key):
        reader.fail(key, "must be true")
    return Always()


def _header(reader: Reader, key: str) -> Rule:
    return Header(decode_header_matcher(reader.required_object(key)))


def _url_path(reader: Reader, key: str) -> Rule:
    return UrlPath(decode_string_matcher(reader.required_object(key).required_object("path")))


def _template(reader: Reader, key: str) -> Rule:
    extension = reader.required_object(key)
    extension.ignore("name")
    type_url, config = extension.any("typed_config") or extension.fail("typed_config", "is required")
    if type_url != _TEMPLATE:
        config.fail("@type", f"{type_url} is not a path match of this proxy")
    template = config.required_string("path_template")
    try:
        check_template(template)
    except ValueError as error:
        config.fail("path_template", str(error))
    return PathTemplate(template)


def _ip(reader: Reader, key: str) -> Rule:
    block = reader.required_object(key)
    text = f"{block.required_string('address_prefix')}/{block.integer('prefix_len')}"
    try:
        return Ip(REMOTE if key == "source_ip" else key, str(ip_network(text, strict=False)))
    except ValueError as error:
        block.fail("address_prefix", str(error))


def _port(reader: Reader, key: str) -> Rule:
    port = reader.integer(key)
    return DestinationPort(port, port + 1)


def _port_range(reader: Reader, key: str) -> Rule:
    found = reader.required_object(key)
    return DestinationPort(found.integer("start"), found.integer("end"))


def _server_name(reader: Reader, key: str) -> Rule:
    return RequestedServerName(decode_string_matcher(reader.required_object(key)))


def _authenticated(reader: Reader, key: str) -> Rule:
    name = reader.required_object(key).object("principal_name")
    return Authenticated(decode_string_matcher(name) if name is not None else None)


def _metadata(reader: Reader, key: str) -> Rule:
    return Metadata(decode_metadata_matcher(reader.required_object(key)))


def _sourced_metadata(reader: Reader, key: str) -> Rule:
    sourced = reader.required_object(key)
    sourced.enum("metadata_source", ("DYNAMIC",))
    return Metadata(decode_metadata_matcher(sourced.required_object("metadata_matcher")))


def _permission_set(reader: Reader, key: str) -> tuple[Rule, ...]:
    return tuple(_decode(item, _PERMISSIONS) for item in reader.required_object(key).objects("rules"))


def _principal_set(reader: Reader, key: str) -> tuple[Rule, ...]:
    return tuple(_decode(item, _PRINCIPALS) for item in reader.required_object(key).objects("ids"))


_PERMISSIONS: dict[str, _Decode] = {
    "and_rules": lambda reader, key: AllOf(_permission_set(reader, key)),
    "or_rules": lambda reader, key: AnyOf(_permission_set(reader, key)),
    "not_rule": lambda reader, key: Not(_decode(reader.required_object(key), _PERMISSIONS)),
    "any": _any,
    "header": _header,
    "url_path": _url_path,
    "uri_template": _template,
    DESTINATION: _ip,
    "destination_port": _port,
    "destination_port_range": _port_range,
    "requested_server_name": _server_name,
    "metadata": _metadata,
    "sourced_metadata": _sourced_metadata,
}
_PRINCIPALS: dict[str, _Decode] = {
    "and_ids": lambda reader, key: AllOf(_principal_set(reader, key)),
    "or_ids": lambda reader, key: AnyOf(_principal_set(reader, key)),
    "not_id": lambda reader, key: Not(_decode(reader.required_object(key), _PRINCIPALS)),
    "any": _any,
    "header": _header,
    "url_path": _url_path,
    "source_ip": _ip,  # deprecated in Envoy, which takes it for remote_ip
    DIRECT: _ip,
    REMOTE: _ip,
    "authenticated": _authenticated,
    "metadata": _metadata,
    "sourced_metadata": _sourced_metadata,
}
