"""An external authorizer that is asked by Envoy's gRPC service: all of the request's head, and who speaks to whom.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/auth/v3/attribute_context.proto
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote

from google.protobuf.message import DecodeError

from pymesh.proxy.codec.grpc import GRPC_STATUS, GRPC_TIMEOUT, format_timeout, read_message, write_message
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters import check_messages
from pymesh.proxy.http_filters.async_request import AsyncAnswer, AsyncRequest
from pymesh.proxy.http_filters.authorization_verdict import OnVerdict, Permit, Verdict, denied
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig
from pymesh.proxy.http_filters.filter import FilterContext
from pymesh.proxy.upstream.cluster import Cluster

_SERVICE = b"x-envoy-downstream-service-cluster"
_FORBIDDEN = 403


class GrpcAuthorizer:
    def __init__(self, config: ExtAuthzConfig) -> None:
        self._timeout = config.timeout
        self._authority = config.authority.encode()

    def ask(self, stream: Any, cluster: Cluster, context: FilterContext, on_verdict: OnVerdict) -> bool:
        return self._ask(_question(stream, context), stream.path, cluster, context, on_verdict)

    def ask_of_connection(self, call: Any, cluster: Cluster, context: FilterContext, on_verdict: OnVerdict) -> bool:
        """`call` as the engine of RBAC sees a TCP connection. Envoy: CheckRequestUtils::createTcpCheck."""
        return self._ask(_question_of_peers(call, context), b"", cluster, context, on_verdict)

    def _ask(self, question: Any, path: bytes, cluster: Cluster, context: FilterContext, on_verdict: OnVerdict) -> bool:
        headers = HeaderMap([(b"host", self._authority), (b"content-type", b"application/grpc"), (b"te", b"trailers")])
        if self._timeout:
            headers[GRPC_TIMEOUT] = format_timeout(self._timeout)
        message = write_message(question.SerializeToString())
        on_answer = partial(_on_answer, path, on_verdict)
        check = AsyncRequest(cluster, b"POST", check_messages.PATH, headers, on_answer, message, is_http2=True)
        return check.start(context, self._timeout)


def _question(stream: Any, context: FilterContext) -> Any:
    """Envoy: CheckRequestUtils::createHttpCheck."""
    request = _question_of_peers(stream, context)
    attributes = request.attributes
    attributes.source.service = _text(stream.headers.get(_SERVICE, b""))
    seconds = stream.info.start_time
    attributes.request.time.seconds = int(seconds)
    attributes.request.time.nanos = int(seconds % 1 * 1e9)
    _fill_http(attributes.request.http, stream)
    return request


def _question_of_peers(call: Any, context: FilterContext) -> Any:
    request = check_messages.CheckRequest()
    attributes = request.attributes
    _fill_peer(attributes.source, call.direct_remote_address, call.peer.principal if call.peer is not None else "")
    _fill_peer(attributes.destination, call.local_address, context.principal if call.is_tls else "")
    return request


def _fill_peer(peer: Any, address: str, principal: str) -> None:
    host, _, port = address.rpartition(":")
    peer.address.socket_address.address = host.strip("[]")
    peer.address.socket_address.port_value = int(port) if port.isdecimal() else 0
    peer.principal = principal


def _fill_http(http: Any, stream: Any) -> None:
    http.id = str(id(stream))
    http.method, http.path = _text(stream.method), _text(stream.path)
    http.host, http.scheme = _text(stream.authority), _text(stream.scheme)
    http.protocol = _text(stream.head.version)
    pseudo = {":method": http.method, ":path": http.path, ":authority": http.host, ":scheme": http.scheme}
    for name, value in pseudo.items():
        http.headers.add(key=name, value=value)
    for name in stream.headers:
        if name != b"host":
            http.headers.add(key=_text(name), value=_text(stream.headers.get_joined(name)))


def _text(value: bytes) -> str:
    """As Envoy: a string of protobuf is UTF-8, and what is not becomes `!`."""
    return value.decode("utf-8", "replace").replace("\ufffd", "!")


def _on_answer(path: bytes, on_verdict: OnVerdict, answer: AsyncAnswer | None) -> None:
    on_verdict(_read(path, answer))


def _read(path: bytes, answer: AsyncAnswer | None) -> Verdict:
    """Envoy: GrpcClientImpl::onSuccess."""
    message = read_message(answer.body) if answer is not None and _is_success(answer) else None
    if message is None:
        return None
    try:
        response = check_messages.CheckResponse.FromString(message)
    except DecodeError:
        return None
    if response.status.code == 0:
        return _permit(path, response.ok_response)
    if response.HasField("error_response"):
        return None
    refusal = response.denied_response
    headers = ((_bytes(field.header.key).lower(), _value(field.header)) for field in refusal.headers)
    return denied(refusal.status.code or _FORBIDDEN, refusal.body.encode(), headers)


def _is_success(answer: AsyncAnswer) -> bool:
    said = answer.trailers if answer.trailers is not None else answer.headers
    return answer.status == 200 and said.get(GRPC_STATUS) == b"0"


def _permit(path: bytes, allowed: Any) -> Permit:
    changed_path = _edit_query(path, allowed.query_parameters_to_set, allowed.query_parameters_to_remove)
    return Permit(
        partial(_edit_request, allowed) if allowed.headers or allowed.headers_to_remove else None,
        partial(_edit_response, allowed.response_headers_to_add) if allowed.response_headers_to_add else None,
        changed_path if changed_path != path else None,
    )


def _edit_request(allowed: Any, headers: HeaderMap) -> None:
    """Envoy: what is to be appended goes only to a header that is there; `append_action` says nothing here."""
    for field in allowed.headers:
        name, value = _bytes(field.header.key).lower(), _value(field.header)
        if name == b"host" or name.startswith(b":"):
            continue
        if not field.append.value:
            headers.set(name, value)
        elif name in headers:
            headers.append(name, value)
    for removed in allowed.headers_to_remove:
        name = _bytes(removed).lower()
        if name != b"host":
            headers.remove(name)


def _edit_response(fields: Iterable[Any], headers: HeaderMap) -> None:
    for field in fields:
        name, value = _bytes(field.header.key).lower(), _value(field.header)
        action = _action(field)
        if action == check_messages.APPEND_IF_EXISTS_OR_ADD:
            headers.add(name, value)
        elif action == check_messages.OVERWRITE_IF_EXISTS_OR_ADD or (name in headers) == (
            action == check_messages.OVERWRITE_IF_EXISTS
        ):
            headers.set(name, value)


def _action(field: Any) -> int:
    """`append` is the older way to say it."""
    if field.HasField("append"):
        is_added = field.append.value
        return check_messages.APPEND_IF_EXISTS_OR_ADD if is_added else check_messages.OVERWRITE_IF_EXISTS_OR_ADD
    action: int = field.append_action
    return action


def _edit_query(path: bytes, to_set: Sequence[Any], to_remove: Sequence[str]) -> bytes:
    if not to_set and not to_remove:
        return path
    base, _, query = path.partition(b"?")
    gone = {*to_remove, *(parameter.key for parameter in to_set)}
    kept = [item for item in query.split(b"&") if item and _key(item) not in gone]
    kept += [f"{quote(item.key)}={quote(item.value, safe='%')}".encode() for item in to_set]
    return base + (b"?" + b"&".join(kept) if kept else b"")


def _key(item: bytes) -> str:
    return next((key for key, _ in parse_qsl(item.decode("latin-1"), keep_blank_values=True)), "")


def _bytes(text: str) -> bytes:
    return text.encode()


def _value(header: Any) -> bytes:
    """One line: a value is the authorizer's, but the framing is ours."""
    value = header.raw_value or header.value.encode()
    return bytes(value).translate(None, b"\r\n\0")
