"""The workload's lease in the registry: taken, renewed while the proxy lives, given back when it drains."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from pymesh.errors import ControlUnreachableError, PymeshError
from pymesh.proxy.control_client import ControlRefusedError
from pymesh.xds import LEASE_RENEW, ReadinessProbe, Registration, RegistrationAnswer

log = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0  # how long a drain waits for the peers to drop the endpoint


class Registry(Protocol):
    """The control plane's registry, as pymesh.proxy.control_client.ControlClient talks to it."""

    async def register(self, namespace: str, name: str, registration: Registration) -> RegistrationAnswer: ...

    async def deregister(self, namespace: str, name: str, seconds: float) -> None: ...


class Lease:
    """One workload's lease. `is_registered` says whether the last renewal was accepted; `announced` is set once the
    registry has been told that the workload is healthy, or could not be told: then the peers' requests may come.

    A control plane that was restarted needs nothing special: the next renewal registers the workload anew.
    """

    def __init__(
        self,
        registry: Registry,
        namespace: str,
        name: str,
        registration: Registration,
        note_registered: Callable[[bool], None] = lambda is_registered: None,
        use_probe: Callable[[ReadinessProbe | None], None] = lambda probe: None,
    ) -> None:
        """`note_registered` is for who remembers it over a restart, `use_probe` for who asks the application: called
        with what the registry says of it, and with None where nobody can say.
        """
        self._use_probe = use_probe
        self._is_answered = False
        self.is_registered = False
        self._note_registered = note_registered
        self.announced = asyncio.Event()
        self._registry = registry
        self._namespace = namespace
        self._name = name
        self._registration = registration
        self._renew_now = asyncio.Event()
        self._refusal = ""

    def set_healthy(self, healthy: bool) -> None:
        """Tell the registry, at once if it is news."""
        if healthy != self._registration.healthy:
            self._registration = msgspec.structs.replace(self._registration, healthy=healthy)
            self._renew_now.set()

    async def keep(self) -> None:
        """Register, then renew until cancelled."""
        while True:
            self._renew_now.clear()
            await self._renew()
            try:
                async with asyncio.timeout(LEASE_RENEW):
                    await self._renew_now.wait()
            except TimeoutError:
                continue

    async def leave(self) -> None:
        """Give the lease back; returns when the peers have dropped the endpoint, or after LEAVE_SECONDS."""
        self.is_registered = False
        try:
            await self._registry.deregister(self._namespace, self._name, LEAVE_SECONDS)
        except PymeshError as error:
            log.warning("left without the registry's word (%s); the lease will end by itself", error)
        else:
            self._note_registered(False)

    async def _renew(self) -> None:
        registration = self._registration
        try:
            answer = await self._registry.register(self._namespace, self._name, registration)
        except ControlUnreachableError as error:
            self.is_registered = False
            log.debug("lease not renewed: %s", error)  # the poll loop, which met the same, has said so
            if not self._is_answered:
                self._use_probe(None)
        except ControlRefusedError as error:
            self._on_refusal(str(error))
        else:
            self._is_answered = True
            self._use_probe(answer.probe)
            self._on_accepted()
        if registration.healthy:
            self.announced.set()

    def _on_accepted(self) -> None:
        self._refusal = ""
        if not self.is_registered:
            self.is_registered = True
            self._note_registered(True)
            log.info("registered %s in namespace %s", self._name, self._namespace)

    def _on_refusal(self, reason: str) -> None:
        self.is_registered = False
        if reason != self._refusal:  # once, not with every renewal
            self._refusal = reason
            log.warning("the registry refused %s: %s", self._name, reason)
