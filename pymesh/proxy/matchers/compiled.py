"""What matchers are compiled to, and what they look at. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pymesh.proxy.codec.header_map import HeaderMap


class Request(Protocol):
    """What matchers and routes see of a request. `path` has the query; a CONNECT has an empty path.

    `scheme` is what the client meant (x-forwarded-proto), `is_tls` what its connection to us is. Addresses are
    `host:port` text of the downstream connection. `dynamic_metadata` is what filters have found out, by their names.
    """

    @property
    def authority(self) -> bytes: ...
    @property
    def path(self) -> bytes: ...
    @property
    def method(self) -> bytes: ...
    @property
    def scheme(self) -> bytes: ...
    @property
    def headers(self) -> HeaderMap: ...
    @property
    def is_tls(self) -> bool: ...
    @property
    def remote_address(self) -> str: ...
    @property
    def local_address(self) -> str: ...
    @property
    def dynamic_metadata(self) -> Mapping[str, Any]: ...


BytesPredicate = Callable[[bytes], bool]
RequestPredicate = Callable[[Request], bool]
