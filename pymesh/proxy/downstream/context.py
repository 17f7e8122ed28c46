"""What every downstream connection of a proxy shares: one object, made by the proxy's composition."""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymesh.proxy.downstream.connection_limit import ConnectionLimit
from pymesh.proxy.downstream.original_dst import original_destination
from pymesh.proxy.routing.even_values import even_values
from pymesh.proxy.telemetry.access_logs import AccessLogs
from pymesh.proxy.telemetry.telemetry import Spans
from pymesh.proxy.telemetry.tracer import Tracer
from pymesh.proxy.telemetry.tracing_config import TracingConfig
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import Timers
from pymesh.proxy.upstream.transport import Connector, connect
from pymesh.tasks import TaskGroup
from pymesh.xds import SIDECAR, Address


@dataclass(slots=True)
class ProxyContext:
    """`workload` is who this proxy stands for; `node_type` is xds.SIDECAR or xds.ROUTER.

    `principal` is the proxy's own SPIFFE URI, `connections` the limit of its clients, `access_logs` those of listeners,
    `tasks` what the data plane has to await (connects), `random` is uniform in [0, 1) and `split` the same but evenly
    spread, for weights.
    `build_tracer` takes the percentage of the traces to sample; `spans_of` says who gets spans where configuration says
    more of them.
    """

    clusters: Any  # upstream.ClusterManager
    routes: Any  # routing.RouteTables
    secrets: Any  # tls.SecretStore
    telemetry: Any  # telemetry.Telemetry
    workload: Workload
    timers: Timers
    loop: asyncio.AbstractEventLoop
    node_type: str = SIDECAR
    principal: str = ""
    connections: ConnectionLimit = field(default_factory=ConnectionLimit)
    access_logs: AccessLogs = field(default_factory=AccessLogs)
    tasks: TaskGroup = field(default_factory=TaskGroup)
    random: Callable[[], float] = random.random
    split: Callable[[], float] = field(default_factory=lambda: even_values(random.random()).__next__)
    connect: Connector = connect
    original_destination: Callable[[socket.socket], Address | None] = original_destination
    build_tracer: Callable[[float], Any] = Tracer
    spans_of: Callable[[TracingConfig], Spans | None] = lambda _: None
    peer_metadata: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.peer_metadata = str(self.workload).encode()
