"""A request as matchers see it."""

from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap


@pytest.fixture
def make_request() -> Any:
    def make(path: bytes = b"/", headers: dict[str, str] | None = None, **fields: Any) -> Any:
        pairs = ((name.encode(), value.encode()) for name, value in (headers or {}).items())
        defaults = {
            "authority": b"shop",
            "path": path,
            "method": b"GET",
            "scheme": b"http",
            "headers": HeaderMap(pairs),
            "is_tls": False,
            "remote_address": "10.0.0.1:1234",
            "local_address": "10.0.0.2:80",
        }
        return SimpleNamespace(**defaults | fields)

    return make
