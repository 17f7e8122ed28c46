"""What the flags of a proxy say, decoded. Light: a command imports this to parse, and the proxy only when it runs."""

from dataclasses import dataclass, field

from pymesh.names import DEFAULT_NAMESPACE
from pymesh.state_dir import StateDir
from pymesh.xds import INTERCEPTION_NONE, Address, Upstream

DRAIN_SECONDS = 45.0  # where nobody says another drain time; Envoy's is ten minutes


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What sidecar and gateway are told alike. `control` None: as the state dir says.

    `drain_time` is in seconds, None for what the control plane says. So is `secret_ttl`, the lifetime that the
    workload's certificate is to have; 0 leaves it to the CA. `concurrency` is the number of worker processes; 1 is one
    process that does all.
    """

    state_dir: StateDir
    admin_listen: Address
    control: str | None = None
    token: str | None = None
    access_log: str = ""
    drain_time: float | None = None
    secret_ttl: int = 0
    locality: str = ""  # region[/zone[/sub-zone]]
    concurrency: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarOptions:
    """`app_port` 0: the application only calls, unless `assigns_app_port`: it is told a free one.

    `version` may be empty where `workload_group`, the WorkloadGroup under which it registers, tells it.
    """

    proxy: ProxyOptions
    service: str
    app_port: int
    inbound_listen: Address
    outbound_listen: Address
    assigns_app_port: bool = False
    namespace: str = DEFAULT_NAMESPACE
    version: str = "v1"
    labels: dict[str, str] = field(default_factory=dict)
    service_account: str = "default"
    advertise: str | None = None
    upstreams: tuple[Upstream, ...] = ()
    app_protocol: str = "http"
    interception_mode: str = INTERCEPTION_NONE
    workload_group: str = ""

    @property
    def workload_name(self) -> str:
        return self.workload_group or f"{self.service}-{self.version}"

    @property
    def key(self) -> str:
        """Of the directory in which this sidecar finds itself again."""
        return f"{self.workload_name}-{self.app_port}" if self.app_port else self.workload_name
