"""WasmPlugin: WebAssembly filters. Stored and shown; proxies do not obey it.

https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/
"""

from typing import Any, Literal

from pymesh.control.model.messages import Message, PortSelector, WorkloadSelector
from pymesh.control.model.targets import PolicyTargetReference

PullPolicy = Literal["UNSPECIFIED_POLICY", "IfNotPresent", "Always"]
PluginPhase = Literal["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"]
FailStrategy = Literal["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"]
PluginType = Literal["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"]
EnvValueSource = Literal["INLINE", "HOST"]
TrafficMode = Literal["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"]


class EnvVar(Message):
    name: str = ""
    """Name of the variable."""
    value_from: EnvValueSource = "INLINE"
    """Whether the value stands here or in the proxy's own environment."""
    value: str = ""
    """The value, if it stands here."""


class VmConfig(Message):
    env: tuple[EnvVar, ...] = ()
    """Environment variables of the plugin."""


class TrafficSelector(Message):
    mode: TrafficMode = "UNDEFINED"
    """Inbound, outbound or both."""
    ports: tuple[PortSelector, ...] = ()
    """Ports; all of them where it is empty."""


class WasmPlugin(Message):
    """pymesh's proxies run no WebAssembly: it is kept and reported, and has no effect."""

    selector: WorkloadSelector | None = None
    """Labels of the workloads; all of the namespace where it is absent."""
    target_ref: PolicyTargetReference | None = None
    """The older form of targetRefs."""
    target_refs: tuple[PolicyTargetReference, ...] = ()
    """Gateways of the Gateway API, or services."""
    url: str = ""
    """Where the module is: oci://, file://, http:// or https://; required."""
    sha256: str = ""
    """Checksum of the module."""
    image_pull_policy: PullPolicy = "UNSPECIFIED_POLICY"
    """When the module is fetched anew."""
    image_pull_secret: str = ""
    """Name of a Secret with credentials for the registry."""
    verification_key: str = ""
    """Public key that the module is signed with."""
    plugin_config: dict[str, Any] = {}
    """Configuration that the plugin gets."""
    plugin_name: str = ""
    """Name that the plugin gets."""
    phase: PluginPhase = "UNSPECIFIED_PHASE"
    """Where in the chain of filters it stands."""
    priority: int | None = None
    """Order in its phase; the highest comes first."""
    fail_strategy: FailStrategy = "FAIL_CLOSE"
    """What happens to requests when the plugin fails."""
    vm_config: VmConfig | None = None
    """Settings of the virtual machine."""
    match: tuple[TrafficSelector, ...] = ()
    """Which traffic it is for."""
    type: PluginType = "UNSPECIFIED_PLUGIN_TYPE"
    """An HTTP or a network filter."""
