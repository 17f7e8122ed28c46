"""envoy.config.accesslog.v3.AccessLog, decoded: files only.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/file/v3/file.proto
"""

import json
from dataclasses import dataclass

from pymesh.access_log_operators import check_json_format, check_text_format
from pymesh.protojson import Reader

TYPE_URL = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


@dataclass(frozen=True, slots=True)
class AccessLogConfig:
    """One of `text_format` and `json_format`, a JSON object as text, is set."""

    path: str
    text_format: str = ""
    json_format: str = ""
    omits_empty_values: bool = False


def decode_access_logs(reader: Reader) -> tuple[AccessLogConfig, ...]:
    """Of the field `access_log`. Raises DecodeError."""
    return tuple(_decode(item) for item in reader.objects("access_log"))


def _decode(reader: Reader) -> AccessLogConfig:
    reader.ignore("name")
    type_url, config = reader.any("typed_config") or reader.fail("typed_config", "is required")
    if type_url != TYPE_URL:
        config.fail("@type", f"{type_url} is not an access logger of this proxy")
    config.ignore("@type")
    path, log_format = config.required_string("path"), config.required_object("log_format")
    log_format.ignore("json_format_options")
    if log_format.oneof("text_format_source", "json_format") is None:
        log_format.fail("format", "one of text_format_source and json_format is required")
    text, json_format = _decode_text(log_format), _decode_json(log_format)
    return AccessLogConfig(path, text, json_format, log_format.boolean("omit_empty_values"))


def _decode_text(reader: Reader) -> str:
    source = reader.object("text_format_source")
    if source is None:
        return ""
    text = source.required_string("inline_string")
    try:
        check_text_format(text)
    except ValueError as error:
        source.fail("inline_string", str(error))
    return text


def _decode_json(reader: Reader) -> str:
    if "json_format" not in reader:
        return ""
    fields = reader.map("json_format")
    try:
        check_json_format(fields)
    except ValueError as error:
        reader.fail("json_format", str(error))
    return json.dumps(fields, sort_keys=True)
