"""What every downstream connection of a proxy shares: one object, made by the proxy's composition."""

import asyncio
from dataclasses import dataclass
from typing import Any

from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import Timers
from pymesh.xds import SIDECAR


@dataclass(slots=True)
class ProxyContext:
    """`workload` is who this proxy stands for; `node_type` is xds.SIDECAR or xds.ROUTER."""

    clusters: Any  # upstream.ClusterManager
    routes: Any  # routing.RouteTables
    secrets: Any  # tls.SecretStore
    telemetry: Any  # telemetry.Telemetry
    tracer: Any  # telemetry.Tracer
    workload: Workload
    timers: Timers
    loop: asyncio.AbstractEventLoop
    node_type: str = SIDECAR
