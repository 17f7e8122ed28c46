"""`pymesh kubeconfig`: a kubeconfig with which kubectl talks to the control plane."""

import argparse
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pymesh.errors import UsageError
from pymesh.names import DEFAULT_NAMESPACE
from pymesh.state_dir import find_control_api, open_state_dir, write_private

_CONTEXT = "pymesh"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", metavar="URL", help="the control plane's plaintext URL (default: the one that runs here)"
    )
    parser.add_argument(
        "-n", "--namespace", metavar="NS", default=DEFAULT_NAMESPACE, help="what kubectl takes without -n"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="instead of standard output; it is replaced")
    parser.add_argument("--state-dir", metavar="DIR", help="find the control plane that runs with this state dir")


def run(args: argparse.Namespace) -> int:
    server = find_control_api(args.server, open_state_dir(args.state_dir))
    if urlsplit(server).scheme not in ("http", "https") or not urlsplit(server).hostname:
        raise UsageError(f"--server {server}: must be http://HOST:PORT")
    text = build_kubeconfig(server, args.namespace)
    if args.output is None:
        sys.stdout.write(text)
    else:
        write_private(Path(args.output), text)
    return 0


def build_kubeconfig(server: str, namespace: str) -> str:
    import yaml  # only here, as most commands do not need it

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _CONTEXT, "cluster": {"server": server}}],
        "users": [{"name": _CONTEXT, "user": {}}],
        "contexts": [
            {"name": _CONTEXT, "context": {"cluster": _CONTEXT, "user": _CONTEXT, "namespace": namespace}},
        ],
        "current-context": _CONTEXT,
    }
    return yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False)
