"""Envoy's authorization service, as far as it is spoken here: the question and its answer.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/auth/v3/external_auth.proto
"""

from typing import Any

from pymesh.protobuf_messages import build_messages

PATH = b"/envoy.service.auth.v3.Authorization/Check"

_MESSAGES = {
    # the question
    "CheckRequest": ("attributes 1 AttributeContext",),
    "AttributeContext": ("source 1 Peer", "destination 2 Peer", "request 4 Request"),
    "Peer": ("address 1 Address", "service 2 string", "principal 4 string"),
    "Address": ("socket_address 1 SocketAddress",),
    "SocketAddress": ("address 2 string", "port_value 3 uint32"),
    "Request": ("time 1 Timestamp", "http 2 HttpRequest"),
    "Timestamp": ("seconds 1 int64", "nanos 2 int32"),
    "HttpRequest": (
        *("id 1 string", "method 2 string", "headers 3 *Header", "path 4 string", "host 5 string", "scheme 6 string"),
        *("size 9 int64", "protocol 10 string"),
    ),
    "Header": ("key 1 string", "value 2 string"),
    # the answer
    "CheckResponse": (
        *("status 1 Status", "denied_response 2 ?DeniedHttpResponse", "ok_response 3 ?OkHttpResponse"),
        "error_response 5 ?DeniedHttpResponse",
    ),
    "Status": ("code 1 int32", "message 2 string"),
    "DeniedHttpResponse": ("status 1 HttpStatus", "headers 2 *HeaderValueOption", "body 3 string"),
    "HttpStatus": ("code 1 int32",),
    "OkHttpResponse": (
        *("headers 2 *HeaderValueOption", "headers_to_remove 5 *string"),
        *("response_headers_to_add 6 *HeaderValueOption", "query_parameters_to_set 7 *QueryParameter"),
        "query_parameters_to_remove 8 *string",
    ),
    "HeaderValueOption": ("header 1 HeaderValue", "append 2 BoolValue", "append_action 3 int32"),
    "HeaderValue": ("key 1 string", "value 2 string", "raw_value 3 bytes"),
    "BoolValue": ("value 1 bool",),
    "QueryParameter": ("key 1 string", "value 2 string"),
}

_CLASSES = build_messages("pymesh.check", _MESSAGES)

CheckRequest: Any = _CLASSES["CheckRequest"]
CheckResponse: Any = _CLASSES["CheckResponse"]

# HeaderValueOption.HeaderAppendAction
APPEND_IF_EXISTS_OR_ADD = 0
ADD_IF_ABSENT = 1
OVERWRITE_IF_EXISTS_OR_ADD = 2
OVERWRITE_IF_EXISTS = 3
