"""The aggregated delta long-poll: one loop that asks what changed, has it applied, and says what was accepted.

No resource is decoded here and no connection made: the control client carries a poll, the runtime obeys the answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from pymesh.backoff import exponential_backoff
from pymesh.errors import ControlUnreachableError, PymeshError
from pymesh.proxy.control_client import ControlRefusedError, UnknownNonceError
from pymesh.proxy.xds.disk_cache import HeldResources
from pymesh.xds import (
    SHORT_NAMES,
    TYPES,
    DeltaAnswer,
    DeltaPoll,
    DeltaRequest,
    DeltaResponse,
    ErrorDetail,
    Node,
    ProxySettings,
)

log = logging.getLogger(__name__)

FIRST_ANSWER_SECONDS = 1.0  # after which a proxy that has its configuration on disk starts with that
BACKOFF_BASE = 0.5
BACKOFF_MAXIMUM = 10.0

Rejections = Mapping[str, Mapping[str, str]]  # type URL -> resource name -> why


class Control(Protocol):
    """The control plane, as pymesh.proxy.control_client.ControlClient talks to it."""

    @property
    def url(self) -> str: ...

    async def poll(self, poll: DeltaPoll) -> DeltaAnswer | None: ...


class Configuration(Protocol):
    """Who obeys: pymesh.proxy.xds.runtime.Runtime."""

    @property
    def held(self) -> HeldResources: ...

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections: ...

    async def load(self) -> bool: ...


class XdsClient:
    """Keeps one proxy's configuration that of the control plane, for as long as `run` runs.

    `on_configured` is called after each answer and after a load from disk: from the first call on the proxy can serve.
    A broken connection forgets all nonces, as a new stream of Envoy's delta protocol does, and tells the control plane
    by version what the proxy holds.
    """

    def __init__(
        self,
        node: Node,
        control: Control,
        runtime: Configuration,
        on_configured: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.is_connected = False
        self.settings = ProxySettings()
        self._node = node
        self._control = control
        self._runtime = runtime
        self._on_configured = on_configured
        self._sleep = sleep
        self._backoff = exponential_backoff(BACKOFF_BASE, BACKOFF_MAXIMUM)
        self._nonces: dict[str, str] = {}
        self._errors: dict[str, ErrorDetail] = {}
        self._has_news = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled. The first configuration comes from the control plane or, if that is away, from disk."""
        await self._start()
        while True:
            try:
                await self._take(await self._poll())
            except (ControlUnreachableError, ControlRefusedError, UnknownNonceError) as error:
                await self._on_failure(error)

    def tell_held(self) -> None:
        """What the proxy holds has changed without an answer: begin anew, as after a broken connection."""
        self._has_news.set()

    async def _poll(self) -> DeltaAnswer | None:
        poll = asyncio.ensure_future(self._control.poll(self._next_poll()))
        news = asyncio.ensure_future(self._has_news.wait())
        try:
            await asyncio.wait((poll, news), return_when=asyncio.FIRST_COMPLETED)
            if poll.done():
                return poll.result()
            self._has_news.clear()
            self._forget()
            return None
        finally:
            poll.cancel()
            news.cancel()
            await asyncio.gather(poll, news, return_exceptions=True)

    async def _start(self) -> None:
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                answer = await self._control.poll(self._next_poll())
        except (TimeoutError, PymeshError) as error:
            log.debug("no first answer: %s", error)
            if await self._runtime.load():
                self._on_configured()
        else:
            await self._take(answer)

    def _next_poll(self) -> DeltaPoll:
        return DeltaPoll(self._node, tuple(self._request(type_url) for type_url in TYPES), self.settings)

    def _request(self, type_url: str) -> DeltaRequest:
        nonce = self._nonces.get(type_url)
        if nonce is not None:
            return DeltaRequest(type_url, nonce, error_detail=self._errors.get(type_url))
        versions = {name: resource.version for name, resource in self._runtime.held[type_url].items()}
        return DeltaRequest(type_url, initial_resource_versions=versions)

    async def _take(self, answer: DeltaAnswer | None) -> None:
        if not self.is_connected:
            self.is_connected = True
            self._backoff = exponential_backoff(BACKOFF_BASE, BACKOFF_MAXIMUM)
            log.info("connected to the control plane at %s", self._control.url)
        if answer is not None and answer.settings is not None:
            self.settings = answer.settings
        if answer is not None:
            self._acknowledge(answer, await self._runtime.apply(answer.responses))
        self._on_configured()

    def _acknowledge(self, answer: DeltaAnswer, rejections: Rejections) -> None:
        for response in answer.responses:
            self._nonces[response.type_url] = response.nonce
            self._errors.pop(response.type_url, None)
            if rejected := rejections.get(response.type_url):
                message = "; ".join(f"{name}: {reason}" for name, reason in rejected.items())
                self._errors[response.type_url] = ErrorDetail(message)
                log.warning("%s rejected: %s", SHORT_NAMES.get(response.type_url, response.type_url), message)

    async def _on_failure(self, error: PymeshError) -> None:
        """Forget the nonces. A control plane that was merely restarted is polled anew at once, once."""
        was_known = bool(self._nonces)
        self._forget()
        if isinstance(error, UnknownNonceError) and was_known:
            return
        self.is_connected = False
        delay = next(self._backoff)
        state = "refused" if isinstance(error, ControlRefusedError) else "unreachable"
        log.warning("control plane at %s %s: %s; retrying in %.1f s", self._control.url, state, error, delay)
        await self._sleep(delay)

    def _forget(self) -> None:
        self._nonces.clear()
        self._errors.clear()
