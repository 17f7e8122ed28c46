"""`pymesh run`: a command behind its own sidecar."""

import argparse

from pymesh.cli.data_plane_flags import add_data_plane_arguments
from pymesh.cli.proxy import add_sidecar_arguments, say, sidecar_options
from pymesh.logs import configure_logging
from pymesh.xds import INTERCEPTION_NONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s --service SERVICE --app-port PORT [flags] -- CMD [ARG ...]"
    parser.epilog = (
        "CMD is told http_proxy and PYMESH_OUTBOUND, the sidecar's outbound listener; PYMESH_ADMIN; "
        "PYMESH_UPSTREAM_<NAME> for each --upstream; and PORT, --app-port: 0 takes any free port."
    )
    add_sidecar_arguments(parser)
    add_data_plane_arguments(parser)
    parser.set_defaults(interception_mode=INTERCEPTION_NONE)  # the command, of the same user, is told of the proxy
    parser.add_argument("command", metavar="-- CMD", nargs="+", help="the application and its arguments")


def run(args: argparse.Namespace) -> int:
    from pymesh.proxy.lifecycle import run_event_loop
    from pymesh.proxy.sidecar import Sidecar
    from pymesh.proxy.wrapped_app import run_wrapped

    configure_logging(args.log_level)
    options = sidecar_options(args, assigns_app_port=True)

    async def main() -> int:
        return await run_wrapped(Sidecar(options), args.command, say)

    return run_event_loop(main())
