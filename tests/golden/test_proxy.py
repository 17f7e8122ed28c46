"""Our own proxy takes every resource, and leaves no field of it unread."""

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.http_filters.factories import per_filter_decoders
from pymesh.proxy.xds.cds import decode_cluster
from pymesh.proxy.xds.eds import decode_cluster_load_assignment
from pymesh.proxy.xds.lds import decode_listener
from pymesh.proxy.xds.rds import decode_route_configuration
from pymesh.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE

_ROUTE_DECODERS = per_filter_decoders()
_DECODERS = {
    CLUSTER: decode_cluster,
    ENDPOINT: decode_cluster_load_assignment,
    ROUTE: lambda reader: decode_route_configuration(reader, _ROUTE_DECODERS),
    LISTENER: lambda reader: decode_listener(reader, _ROUTE_DECODERS),
}


def test_our_proxy_takes_every_resource(case):
    resources = case.build()
    for type_url, decode in _DECODERS.items():
        for name, resource in resources[type_url].items():
            reader = Reader(resource)
            try:
                decode(reader)
                reader.reject_unread()
            except DecodeError as error:
                pytest.fail(f"{name}: {error}")
