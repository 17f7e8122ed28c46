"""Who decodes and who obeys each type of resource: the wiring between the configuration and the data plane."""

from functools import partial

from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.http_filters.factories import per_filter_decoders
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.xds.cds import decode_cluster
from pymesh.proxy.xds.config_writer import Handler
from pymesh.proxy.xds.eds import decode_cluster_load_assignment
from pymesh.proxy.xds.lds import decode_listener
from pymesh.proxy.xds.rds import decode_route_configuration
from pymesh.proxy.xds.sds import decode_secret
from pymesh.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET


def build_handlers(
    secrets: SecretStore, clusters: ClusterManager, routes: RouteTables, listeners: ListenerManager
) -> dict[str, Handler]:
    decoders = per_filter_decoders()
    return {
        SECRET: Handler(decode_secret, secrets.apply, secrets.remove),
        CLUSTER: Handler(decode_cluster, clusters.apply_cluster, clusters.remove_cluster, clusters.warm),
        ENDPOINT: Handler(decode_cluster_load_assignment, clusters.apply_endpoints, clusters.remove_endpoints),
        ROUTE: Handler(partial(decode_route_configuration, per_filter_decoders=decoders), routes.apply, routes.remove),
        LISTENER: Handler(partial(decode_listener, per_filter_decoders=decoders), listeners.apply, listeners.remove),
    }
