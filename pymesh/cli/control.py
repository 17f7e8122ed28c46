"""`pymesh control`: the control plane; `pymesh control token`: a join token for a workload elsewhere."""

import argparse
from pathlib import Path

from pymesh.cli.data_plane_flags import LOG_LEVELS, address
from pymesh.errors import UsageError
from pymesh.logs import configure_logging
from pymesh.protojson import parse_go_duration
from pymesh.state_dir import open_state_dir
from pymesh.xds import Address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(action="run")
    parser.add_argument("--state-dir", metavar="DIR", help="where everything is kept (default: ~/.pymesh)")
    ports = parser.add_argument_group("ports (HOST:PORT; port 0 is any free one)")
    ports.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=address,
        default=Address("127.0.0.1", 15010),
        help="plaintext, for pymesh apply, get ... (default: 127.0.0.1:15010)",
    )
    ports.add_argument(
        "--tls-listen",
        metavar="HOST:PORT",
        type=address,
        default=Address("0.0.0.0", 15012),
        help="mTLS, for the proxies (default: 0.0.0.0:15012)",
    )
    ports.add_argument(
        "--monitoring",
        metavar="HOST:PORT",
        type=address,
        default=Address("127.0.0.1", 15014),
        help="metrics of the whole mesh (default: 127.0.0.1:15014)",
    )
    parser.add_argument("--mesh-config", metavar="FILE", type=Path, help="Istio's MeshConfig")
    parser.add_argument(
        "--config",
        metavar="FILE_OR_DIR",
        type=Path,
        action="append",
        default=[],
        help="resources to create or replace at the start; may be given several times",
    )
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info")
    _add_token_arguments(parser.add_subparsers(metavar="[token]").add_parser("token", help="print a join token"))


def run(args: argparse.Namespace) -> int:
    return _print_token(args) if args.action == "token" else _run_control(args)


def _add_token_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(action="token")
    parser.add_argument("--namespace", metavar="NS", required=True, help="namespace of the workload, or *")
    parser.add_argument("--service-account", metavar="SA", required=True, help="its service account, or *")
    parser.add_argument("--ttl", metavar="DURATION", type=_duration, default=3600.0, help="such as 24h (default: 1h)")
    parser.add_argument("--state-dir", metavar="DIR", default=argparse.SUPPRESS, help="that of the control plane")


def _run_control(args: argparse.Namespace) -> int:
    from pymesh.control.server import ControlOptions, run_control

    configure_logging(args.log_level)
    options = ControlOptions(
        state_dir=open_state_dir(args.state_dir),
        listen=args.listen,
        tls_listen=args.tls_listen,
        monitoring=args.monitoring,
        mesh_config=args.mesh_config,
        config=tuple(args.config),
    )
    run_control(options, lambda line: print(line, flush=True))
    return 0


def _print_token(args: argparse.Namespace) -> int:
    from pymesh.control.ca.authority import open_authority
    from pymesh.control.ca.join_token import TokenError
    from pymesh.control.ca.join_token_file import open_token_authority

    state_dir = open_state_dir(args.state_dir)
    if not (state_dir.ca / "ca-cert.pem").exists():
        raise UsageError(f"no control plane has run with the state dir {state_dir.path}; see --state-dir")
    tokens = open_token_authority(open_authority(state_dir.ca), state_dir.ca)
    try:
        print(tokens.mint(args.namespace, args.service_account, args.ttl))
    except TokenError as error:
        raise UsageError(str(error)) from error
    return 0


def _duration(text: str) -> float:
    try:
        seconds = parse_go_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text} is too short")
    return seconds
