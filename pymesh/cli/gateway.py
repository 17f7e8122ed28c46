"""`pymesh gateway`: an ingress gateway."""

import argparse

from pymesh.cli.data_plane_flags import add_data_plane_arguments, label, name, port_mapping, proxy_options
from pymesh.cli.proxy import say
from pymesh.ingress.options import GatewayOptions
from pymesh.logs import configure_logging
from pymesh.names import ROOT_NAMESPACE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("gateway")
    group.add_argument("--name", type=name, default="ingressgateway")
    group.add_argument("--namespace", type=name, default=ROOT_NAMESPACE)
    group.add_argument(
        "--label",
        metavar="K=V",
        type=label,
        action="append",
        default=[],
        help="a label that Gateways select (default: istio=ingressgateway)",
    )
    group.add_argument(
        "--port-map",
        metavar="80=8080",
        type=port_mapping,
        action="append",
        default=[],
        help="bind 8080 for a Gateway's port 80; 0 is any free port",
    )
    add_data_plane_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from pymesh.ingress.gateway import Gateway
    from pymesh.proxy.lifecycle import run_event_loop, serve

    configure_logging(args.log_level)
    options = GatewayOptions(
        proxy=proxy_options(args),
        name=args.name,
        namespace=args.namespace,
        labels=dict(args.label),
        port_map=dict(args.port_map),
    )

    async def main() -> int:
        return await serve(Gateway(options, say), say)

    return run_event_loop(main())
