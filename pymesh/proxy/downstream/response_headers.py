"""What happens to a response's fields on their way to the client: hop-by-hop fields go, Date and Server come."""

import time

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.hcm_config import OVERWRITE, PASS_THROUGH, HttpConnectionManagerConfig
from pymesh.proxy.downstream.http_date import DateCache
from pymesh.proxy.downstream.request_headers import CONNECTION, PLAIN_OPTIONS, REQUEST_ID

SERVER = b"server"
DATE = b"date"

_HOP_BY_HOP = frozenset((CONNECTION, b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_NOTHING_HOP_BY_HOP = _HOP_BY_HOP.isdisjoint


class ResponseHeaderPolicy:
    """Compiled from the configuration."""

    __slots__ = ("_dates", "_is_overwriting", "_server", "_sets_request_id", "_sets_server")

    def __init__(self, config: HttpConnectionManagerConfig, dates: DateCache) -> None:
        self._server = config.server_name.encode()
        self._is_overwriting = config.server_header_transformation == OVERWRITE
        self._sets_server = config.server_header_transformation != PASS_THROUGH
        self._sets_request_id = config.always_set_request_id_in_response
        self._dates = dates

    def apply(self, headers: HeaderMap, request_headers: HeaderMap, is_upgrade: bool) -> None:
        """Framing and Connection are added later."""
        if CONNECTION in headers and headers[CONNECTION] in PLAIN_OPTIONS:  # what most servers say
            if headers.repeated:
                headers.remove(CONNECTION)
            else:
                del headers[CONNECTION]
        if not _NOTHING_HOP_BY_HOP(headers):
            _remove_hop_by_hop(headers, is_upgrade)
        if self._sets_request_id and REQUEST_ID in request_headers:
            headers.set(REQUEST_ID, request_headers[REQUEST_ID])
        if DATE not in headers:
            headers[DATE] = self._dates.at(time.time())
        if self._is_overwriting and not headers.repeated:
            headers[SERVER] = self._server
        elif self._is_overwriting:
            headers.set(SERVER, self._server)
        elif self._sets_server and SERVER not in headers:
            headers[SERVER] = self._server


def _remove_hop_by_hop(headers: HeaderMap, is_upgrade: bool) -> None:
    """As in Envoy, without the fields that Connection names: to a server they would be the client's secrets, to the
    client they are what the server told it."""
    for name in (b"keep-alive", b"proxy-connection", b"transfer-encoding"):
        headers.remove(name)
    if not is_upgrade:
        headers.remove(CONNECTION)
        headers.remove(b"upgrade")
