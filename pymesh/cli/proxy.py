"""`pymesh proxy`: a sidecar beside a service."""

import argparse

from pymesh.cli.data_plane_flags import (
    add_data_plane_arguments,
    address,
    host,
    label,
    name,
    port,
    proxy_options,
    upstream,
)
from pymesh.logs import configure_logging
from pymesh.names import DEFAULT_NAMESPACE
from pymesh.proxy.options import SidecarOptions
from pymesh.xds import INTERCEPTION_MODES, INTERCEPTION_NONE, Address

DEFAULT_VERSION = "v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_sidecar_arguments(parser)
    parser.add_argument(
        "--interception-mode",
        choices=INTERCEPTION_MODES,
        default=INTERCEPTION_NONE,
        help="REDIRECT: the kernel redirects what the application sends to the outbound port (default: NONE)",
    )
    add_data_plane_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from pymesh.proxy.lifecycle import run_event_loop, serve
    from pymesh.proxy.sidecar import Sidecar

    configure_logging(args.log_level)
    options = sidecar_options(args)

    async def main() -> int:
        return await serve(Sidecar(options), say)

    return run_event_loop(main())


def say(line: str) -> None:
    print(line, flush=True)


def add_sidecar_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("workload")
    group.add_argument("--service", type=name, required=True, help="the service that this workload is an instance of")
    group.add_argument("--app-port", metavar="PORT", type=port, required=True, help="where the application listens")
    group.add_argument("--namespace", type=name, default=DEFAULT_NAMESPACE)
    group.add_argument("--version", type=name, help="the label version (default: v1, or the WorkloadGroup's)")
    group.add_argument("--label", metavar="K=V", type=label, action="append", default=[], help="a further label")
    group.add_argument(
        "--workload-group",
        metavar="NAME",
        type=name,
        help="the WorkloadGroup of the namespace that completes what is registered: labels, locality, weight",
    )
    group.add_argument("--service-account", metavar="NAME", type=name, default="default")
    group.add_argument("--app-protocol", choices=("http", "http2", "grpc", "tcp"), default="http")
    group.add_argument(
        "--advertise", metavar="HOST", type=host, help="where peers reach this workload (default: found out)"
    )
    ports = parser.add_argument_group("ports (HOST:PORT; port 0 is any free one)")
    ports.add_argument(
        "--inbound-listen",
        metavar="HOST:PORT",
        type=address,
        default=Address("0.0.0.0", 15006),
        help="for what others send to the application (default: 0.0.0.0:15006)",
    )
    ports.add_argument(
        "--outbound-listen",
        metavar="HOST:PORT",
        type=address,
        default=Address("127.0.0.1", 15001),
        help="the application's HTTP proxy (default: 127.0.0.1:15001)",
    )
    ports.add_argument(
        "--upstream",
        metavar="LOCALPORT=SERVICE:PORT",
        type=upstream,
        action="append",
        default=[],
        help="open a local TCP port that stands for a service",
    )


def sidecar_options(args: argparse.Namespace, assigns_app_port: bool = False) -> SidecarOptions:
    """Raises UsageError."""
    return SidecarOptions(
        proxy=proxy_options(args),
        service=args.service,
        app_port=args.app_port,
        assigns_app_port=assigns_app_port and args.app_port == 0,
        namespace=args.namespace,
        version=args.version or ("" if args.workload_group else DEFAULT_VERSION),
        labels=dict(args.label),
        service_account=args.service_account,
        inbound_listen=args.inbound_listen,
        outbound_listen=args.outbound_listen,
        advertise=args.advertise,
        upstreams=tuple(args.upstream),
        app_protocol=args.app_protocol,
        interception_mode=args.interception_mode,
        workload_group=args.workload_group or "",
    )
