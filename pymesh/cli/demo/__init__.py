"""`pymesh demo`: a small mesh on this machine, and each of its promises measured, a line each."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from pymesh.cli.demo.processes import DemoError
from pymesh.cli.demo.promises import PROMISES
from pymesh.cli.demo.shop import Shop, clear_proxy_variables
from pymesh.errors import UsageError

_COLUMN = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="leave the mesh running and print its addresses")


def run(args: argparse.Namespace) -> int:
    if find_spec("asyncpg") is None:
        raise UsageError("needs the extra: pip install 'pymesh-servicemesh[demo]', or '.[demo]' in a checkout")
    clear_proxy_variables()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # as Ctrl-C: the children are taken down
    state = Path(tempfile.mkdtemp(prefix="pymesh-demo-"))
    shop = Shop(state)
    try:
        kept = walk_through(shop)
        if args.keep:
            print_addresses(shop)
            shop.processes.wait_all()
    except DemoError as error:
        print(f"FAILED  {error}", file=sys.stderr)
        kept = False
    finally:
        shop.processes.stop_all()
        shutil.rmtree(state, ignore_errors=True)
    return 0 if kept else 1


def walk_through(shop: Shop) -> bool:
    """Start the shop and measure each promise; one that is broken does not hide the others. True if all held."""
    start = time.monotonic()
    shop.start()
    print_line(
        "ok", "the mesh is up", f"control, gateway, 4 sidecars and PostgreSQL in {time.monotonic() - start:.1f} s"
    )
    broken = 0
    for promise in PROMISES:
        try:
            print_line("ok", promise.title, promise.measure(shop))
        except DemoError as error:
            broken += 1
            print_line("FAILED", promise.title, str(error))
    print(f"{len(PROMISES) - broken} of {len(PROMISES)} promises held")
    return broken == 0


def print_line(verdict: str, title: str, measured: str) -> None:
    print(f"{verdict:6}  {title:{_COLUMN}}{measured}", flush=True)


def print_addresses(shop: Shop) -> None:
    print(f"\nThe shop is open: curl http://{shop.gateway}/pay")
    for name, instance in shop.instances.items():
        print(f"  {name:12} admin http://{instance.ports['admin']}  http_proxy=http://{instance.ports['outbound']}")
    print(f"  {'gateway':12} admin {shop.gateway_admin}")
    print(f"  {'control':12} {shop.addresses.listen}  metrics {shop.addresses.monitoring}/metrics")
    print(f"  export PYMESH_STATE_DIR={shop.state.path}   # for pymesh get, proxy-status, trace ...")
    print(f"Ctrl-C (or kill {os.getpid()}) takes it down.", flush=True)
