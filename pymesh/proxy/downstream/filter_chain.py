"""Live filter chains: TLS towards the client, if any, and the one network filter that all its connections share."""

import asyncio
from dataclasses import replace

from pymesh.names import OWN_CERTIFICATE
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.filter_chain_match import ConnectionTraits, FilterChainTable
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.network_filters import build_network_filter
from pymesh.proxy.downstream.network_rbac import NetworkGate
from pymesh.proxy.tls.contexts import ServerTls
from pymesh.tasks import TaskGroup

# Istio's drainDuration: so many seconds a retired connection waits for its last request.
DRAIN_SECONDS = 45.0


class FilterChain:
    """It lives as long as its configuration stays the same, but for the telemetry, whatever else of its listener
    changes."""

    __slots__ = ("_gate", "config", "network_filter", "tls")

    def __init__(self, config: FilterChainConfig, context: ProxyContext, is_inbound: bool) -> None:
        self.config = config
        self.tls = ServerTls(config.tls, context.secrets) if config.tls is not None else None
        self.network_filter = build_network_filter(config.network_filter, context, is_inbound)
        self._gate = NetworkGate(config.gates, context, self.network_filter.on_refused) if config.gates else None

    def new_connection(self, info: ConnectionInfo) -> asyncio.Protocol:
        new_connection = self.network_filter.new_connection
        return new_connection(info) if self._gate is None else self._gate.judge(info, new_connection)

    def obeys(self, config: FilterChainConfig) -> bool:
        """Whether nothing but the telemetry differs."""
        own = self.config
        return own.name == config.name and _without_telemetry(own) == _without_telemetry(config)

    def set_telemetry(self, config: FilterChainConfig) -> None:
        """To that of `config`, from what ends next. No connection is touched."""
        self.config = config
        self.network_filter.set_telemetry(config.network_filter)


def _without_telemetry(config: FilterChainConfig) -> FilterChainConfig:
    return replace(config, network_filter=replace(config.network_filter, access_logs=(), stats=None))


class FilterChains:
    """Those of one listener: the current ones, and the retired ones that still have connections."""

    def __init__(self, context: ProxyContext, drain_seconds: float = DRAIN_SECONDS) -> None:
        self._context = context
        self._drain_seconds = drain_seconds
        self._current: list[FilterChain] = []
        self._retired: list[FilterChain] = []
        self._table: FilterChainTable[FilterChain] = FilterChainTable(())
        self._tasks = TaskGroup()

    def update(self, config: ListenerConfig) -> None:
        """Chains that stay the same stay alive; those that go are retired and their connections go on.

        Raises UsageError where an access log cannot be opened; then nothing has changed.
        """
        item = config.default_filter_chain
        wanted = [*config.filter_chains, *([] if item is None else [item])]
        opened = [self._context.access_logs.get(log) for one in wanted for log in one.network_filter.access_logs]
        chains = [self._find_or_build(item, config.is_inbound) for item in config.filter_chains]
        default = self._find_or_build(item, config.is_inbound) if item is not None else None
        self._table = FilterChainTable([(chain.config.match, chain) for chain in chains], default)
        replaced, self._current = self._current, [*chains, *([] if default is None else [default])]
        for chain, chosen in zip(self._current, wanted, strict=True):
            if chain.config != chosen:
                chain.set_telemetry(chosen)
        del opened  # whoever logs holds them now
        for chain in replaced:
            if chain not in self._current:
                self._retire(chain)

    def find(self, traits: ConnectionTraits) -> FilterChain | None:
        return self._table.find(traits)

    @property
    def active_requests(self) -> int:
        return sum(chain.network_filter.active_requests for chain in (*self._current, *self._retired))

    def names(self) -> list[str]:
        return [chain.config.name for chain in self._current]

    def retire(self) -> None:
        for chain in self._current:
            chain.network_filter.retire()

    def revive(self) -> None:
        for chain in self._current:
            chain.network_filter.revive()

    def drain(self, idle_seconds: float = 0.0) -> None:
        for chain in (*self._current, *self._retired):
            chain.network_filter.drain(idle_seconds)

    async def wait_drained(self) -> None:
        for chain in (*self._current, *self._retired):
            await chain.network_filter.wait_drained()

    def close(self) -> None:
        for chain in (*self._current, *self._retired):
            chain.network_filter.close()

    async def aclose(self) -> None:
        self.close()
        await self._tasks.aclose()

    def _find_or_build(self, config: FilterChainConfig, is_inbound: bool) -> FilterChain:
        same = (chain for chain in self._current if chain.obeys(config))
        return next(same, None) or FilterChain(config, self._context, is_inbound)

    def _retire(self, chain: FilterChain) -> None:
        self._retired.append(chain)
        chain.network_filter.retire()
        self._tasks.spawn(f"drain filter chain {chain.config.name}", self._forget_drained(chain))

    async def _forget_drained(self, chain: FilterChain) -> None:
        try:
            async with asyncio.timeout(self._drain_seconds):
                await chain.network_filter.wait_drained()
        except TimeoutError:
            chain.network_filter.drain()
            await chain.network_filter.wait_drained()
        self._retired.remove(chain)


class TlsAcceptor(asyncio.Protocol):
    """Is on a TLS transport until the handshake is done; then the client is verified and the chain's protocol follows.

    `is_connected`: it got so far. `failure`: why the client is not acceptable.
    """

    def __init__(self, chain: FilterChain, info: ConnectionInfo) -> None:
        self.failure: str | None = None
        self.is_connected = False
        self._chain = chain
        self._info = info

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        tls = self._chain.tls
        assert tls is not None
        ssl_object = transport.get_extra_info("ssl_object")
        self.failure = tls.verify(ssl_object)
        if self.failure is not None:
            transport.abort()
            return
        self.is_connected = True
        self._info.is_tls = True
        self._info.alpn = ssl_object.selected_alpn_protocol() or ""
        self._info.shows_identity = OWN_CERTIFICATE in tls.config.common.certificate_secrets
        self._info.peer = tls.peer_identity(ssl_object)
        protocol = self._chain.new_connection(self._info)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
