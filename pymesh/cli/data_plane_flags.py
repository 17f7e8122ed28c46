"""The flags that every proxy has, sidecar or gateway, and the values that flags are made of."""

import argparse
import os
import re
from ipaddress import ip_address
from pathlib import Path

from pymesh.errors import UsageError
from pymesh.protojson import parse_go_duration
from pymesh.proxy.options import ProxyOptions
from pymesh.state_dir import open_state_dir
from pymesh.xds import Address, Upstream

SECRET_TTL_VARIABLE = "SECRET_TTL"  # of Istio's agent
MOST_SECRET_TTL = 90 * 86400  # what the CA gives at most, as Istio's
MOST_WORKERS = 256
LOG_LEVELS = ("debug", "info", "warning", "error")

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")


def add_data_plane_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("mesh")
    group.add_argument("--control", metavar="URL", help="the control plane's TLS port (default: of the state dir)")
    tokens = group.add_mutually_exclusive_group()
    tokens.add_argument("--token", help="join token: who this workload may be (pymesh control token)")
    tokens.add_argument("--token-file", metavar="FILE", help="a file with the join token")
    group.add_argument("--state-dir", metavar="DIR", help="what is kept over restarts (default: ~/.pymesh)")
    group.add_argument(
        "--locality",
        metavar="REGION[/ZONE[/SUB-ZONE]]",
        type=locality,
        help="where this workload runs, for rules that prefer what is near",
    )
    group.add_argument(
        "--admin-listen",
        metavar="HOST:PORT",
        type=address,
        default=Address("127.0.0.1", 15000),
        help="admin port (default: 127.0.0.1:15000)",
    )
    group.add_argument("--access-log", metavar="FILE", default="", help="one line a request; - is standard output")
    group.add_argument(
        "--drain-time",
        metavar="SECONDS",
        type=seconds,
        help="at most so long do requests in flight keep a stopping proxy "
        "(default: MeshConfig's terminationDrainDuration, or 45)",
    )
    group.add_argument(
        "--concurrency",
        metavar="N",
        type=concurrency,
        default=1,
        help="worker processes that share the ports; 0: one for each core (default: 1, a single process)",
    )
    group.add_argument("--log-level", choices=LOG_LEVELS, default="info")


def proxy_options(args: argparse.Namespace) -> ProxyOptions:
    """Raises UsageError for what cannot be read."""
    return ProxyOptions(
        state_dir=open_state_dir(args.state_dir),
        admin_listen=args.admin_listen,
        control=args.control,
        token=read_token(args),
        access_log=args.access_log,
        drain_time=args.drain_time,
        secret_ttl=read_secret_ttl(),
        locality=args.locality or "",
        concurrency=args.concurrency,
    )


def read_secret_ttl() -> int:
    """Seconds that the workload's certificate is to live; 0, the CA's default, where the environment says nothing."""
    text = os.environ.get(SECRET_TTL_VARIABLE)
    if not text:
        return 0
    try:
        ttl = parse_go_duration(text)
    except ValueError as error:
        raise UsageError(f"{SECRET_TTL_VARIABLE}: {error}") from error
    if not 1 <= ttl <= MOST_SECRET_TTL:
        raise UsageError(f"{SECRET_TTL_VARIABLE}: {text} is not within 1s and {MOST_SECRET_TTL // 3600}h")
    return int(ttl)


def read_token(args: argparse.Namespace) -> str | None:
    if args.token_file is None:
        return str(args.token) if args.token else None
    try:
        return Path(args.token_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(f"--token-file {args.token_file}: {reason}") from error


# values of flags; argparse prints the message of ArgumentTypeError


def address(text: str) -> Address:
    """`HOST:PORT` or `[IPV6]:PORT`."""
    host, colon, digits = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return Address(host, port(digits))


def port(text: str) -> int:
    """0..65535; 0 means any free port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def name(text: str) -> str:
    """A Kubernetes name: it becomes a path, a host and part of an identity."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of lower-case letters, digits, '-' and '.'")
    return text


def label(text: str) -> tuple[str, str]:
    """`KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not equals or not key or (value and not _LABEL.fullmatch(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def port_mapping(text: str) -> tuple[int, int]:
    """`80=8080`; the left one is a Gateway's, which has no port 0."""
    left, equals, right = text.partition("=")
    if not equals or port(left) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not PORT=PORT")
    return port(left), port(right)


def host(text: str) -> str:
    """A name or an IP address, as peers are told it."""
    try:
        return str(ip_address(text))
    except ValueError:
        labels = text.lower().rstrip(".").split(".")
    if not all(map(_NAME.fullmatch, labels)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a host name nor an IP address")
    return ".".join(labels)


def locality(text: str) -> str:
    """`europe/berlin/rack-7`."""
    parts = text.split("/")
    if len(parts) > 3 or not all(map(_LABEL.fullmatch, parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not REGION[/ZONE[/SUB-ZONE]]")
    return text


def upstream(text: str) -> Upstream:
    """`15432=db:5432`."""
    local, equals, target = text.partition("=")
    service, colon, service_port = target.rpartition(":")
    if not equals or not colon or not service:
        raise argparse.ArgumentTypeError(f"{text!r} is not LOCALPORT=SERVICE:PORT")
    return Upstream(port(local), service, port(service_port))


def concurrency(text: str) -> int:
    """0 is the number of cores that this process may use."""
    if not text.isdecimal() or int(text) > MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 0 to {MOST_WORKERS}")
    return int(text) or len(os.sched_getaffinity(0))


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value
