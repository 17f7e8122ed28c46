"""request_headers_to_add and its like: how a route changes a head. Compiled when decoded, applied per request."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.joined_fields import JOINED
from pymesh.proxy.routing.formatter import FormatContext, Formatter, compile_format

ADD, ADD_IF_ABSENT, OVERWRITE, OVERWRITE_IF_EXISTS = APPEND_ACTIONS = (
    "APPEND_IF_EXISTS_OR_ADD",
    "ADD_IF_ABSENT",
    "OVERWRITE_IF_EXISTS_OR_ADD",
    "OVERWRITE_IF_EXISTS",
)


@dataclass(frozen=True, slots=True)
class HeaderValueOption:
    """`value` may have operators of routing.formatter; `name` is lower-case, `host` for `:authority`."""

    name: bytes
    value: str
    append_action: str = ADD
    keep_empty_value: bool = False


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """One level (route, virtual host, configuration): what is removed, and then what is added."""

    remove: tuple[bytes, ...] = ()
    add: tuple[HeaderValueOption, ...] = ()


@dataclass(frozen=True, slots=True)
class HeaderMutations:
    """The changes of several levels in the order in which they apply."""

    changes: tuple[HeaderChange, ...] = ()
    _steps: tuple[tuple[tuple[bytes, ...], tuple[tuple[HeaderValueOption, bytes | Formatter], ...]], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        steps = tuple((change.remove, tuple(map(_compile, change.add))) for change in self.changes)
        object.__setattr__(self, "_steps", steps)

    def __bool__(self) -> bool:
        return bool(self._steps)

    def apply(self, headers: HeaderMap, info: FormatContext) -> None:
        for removed, added in self._steps:
            for name in removed:
                headers.remove(name)
            for option, value in added:
                _add(headers, option, value if isinstance(value, bytes) else value(info))


NO_MUTATIONS = HeaderMutations()


def merge_changes(changes: Iterable[HeaderChange]) -> HeaderMutations:
    """`changes` in the order in which they apply."""
    used = tuple(change for change in changes if change.remove or change.add)
    return HeaderMutations(used) if used else NO_MUTATIONS


def decode_header_change(reader: Reader, prefix: str) -> HeaderChange:
    """`<prefix>_headers_to_add` and `<prefix>_headers_to_remove`, `prefix` being request or response.

    https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/base.proto (HeaderValueOption)
    """
    removed_key = f"{prefix}_headers_to_remove"
    removed = tuple(name.lower().encode() for name in reader.strings(removed_key))
    if any(name.startswith(b":") or name == b"host" for name in removed):
        reader.fail(removed_key, "a pseudo header or host cannot be removed")
    return HeaderChange(removed, tuple(map(_decode_option, reader.objects(f"{prefix}_headers_to_add"))))


def _decode_option(reader: Reader) -> HeaderValueOption:
    header = reader.required_object("header")
    name, value = header.required_string("key").lower(), header.string("value")
    if name.startswith(":") and name != ":authority":
        header.fail("key", "the only pseudo header that can be set is :authority")
    try:
        compile_format(value)
    except ValueError as error:
        header.fail("value", str(error))
    return HeaderValueOption(
        name=b"host" if name == ":authority" else name.encode(),
        value=value,
        append_action=_decode_append_action(reader),
        keep_empty_value=reader.boolean("keep_empty_value"),
    )


def _decode_append_action(reader: Reader) -> str:
    """The deprecated `append` wrapper says false for what is now OVERWRITE_IF_EXISTS_OR_ADD."""
    if reader.oneof("append", "append_action") == "append":
        return ADD if reader.boolean("append") else OVERWRITE
    return reader.enum("append_action", APPEND_ACTIONS)


def _compile(option: HeaderValueOption) -> tuple[HeaderValueOption, bytes | Formatter]:
    return option, compile_format(option.value)


def _add(headers: HeaderMap, option: HeaderValueOption, value: bytes) -> None:
    name, action = option.name, option.append_action
    if not value and not option.keep_empty_value:
        return
    if name == b"host" and action == ADD:
        action = OVERWRITE  # There is one authority; a second Host would be malformed.
    if action == ADD:
        if name in JOINED:
            headers.append(name, value)
        else:
            headers.add(name, value)
    elif action == OVERWRITE or (name in headers) == (action == OVERWRITE_IF_EXISTS):
        headers.set(name, value)
