"""A pymesh data plane as a process of its own: obeys the resources in a file, tells its ports, ends when stdin does.

    python pymesh_process.py RESOURCES ACCESS_LOG FORMAT

It is what a sidecar runs, on the same loop and transports, but without a control plane, and without tracing: Envoy
traces only where it is told to whom.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.lifecycle import run_event_loop
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.access_log import AccessLog
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import LoopClock, Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.xds.config_writer import ConfigWriter
from pymesh.proxy.xds.handlers import build_handlers
from pymesh.xds import TYPES, DeltaResource, DeltaResponse, resource_name, type_url_of

FLUSH_SECONDS = 0.02


async def serve(resources: list[dict[str, Any]], access_log: str, log_format: str) -> int:
    context = _build_context(AccessLog(access_log, log_format, call_later=_call_soon))
    listeners = ListenerManager(context)
    writer = ConfigWriter(build_handlers(context.secrets, context.clusters, context.routes, listeners))
    rejections = await writer.apply(_responses(resources))
    if any(rejections.values()):
        raise SystemExit(f"refused: {rejections}")
    print(json.dumps({name: address.port for name, address in listeners.addresses().items()}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await listeners.aclose()
    context.clusters.close()
    await context.tasks.aclose()
    return 0


def _build_context(access_log: AccessLog) -> ProxyContext:
    loop = asyncio.get_running_loop()
    secrets = SecretStore()
    return ProxyContext(
        clusters=ClusterManager(secrets),
        routes=RouteTables(),
        secrets=secrets,
        telemetry=Telemetry(access_log=access_log),
        workload=Workload("web-1", "default", "web", "v1", "pymesh"),
        timers=Timers(LoopClock(loop)),
        loop=loop,
        build_tracer=lambda percent: SimpleNamespace(start=lambda info, headers: None),
    )


def _call_soon(seconds: float, flush: Callable[[], object]) -> Any:
    return asyncio.get_running_loop().call_later(FLUSH_SECONDS, flush)


def _responses(resources: list[dict[str, Any]]) -> list[DeltaResponse]:
    by_type: dict[str, list[DeltaResource]] = {type_url: [] for type_url in TYPES}
    for resource in resources:
        by_type[type_url_of(resource)].append(DeltaResource(resource_name(resource), "1", resource))
    return [DeltaResponse(type_url, "1", tuple(found)) for type_url, found in by_type.items()]


if __name__ == "__main__":
    file, access_log, log_format = sys.argv[1:]
    sys.exit(run_event_loop(serve(json.loads(Path(file).read_text()), access_log, log_format)))
