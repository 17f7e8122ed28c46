"""The registry: sidecars keep their WorkloadEntries here, and what they do not keep is removed.

The Service that stands in for one that nobody declared stays while a workload of it is registered, and then for
SERVICE_LINGER seconds, so that callers of a service that restarts are told 503 and not 404. A Service that a user
declares takes its place at once, and is never touched.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from pymesh.control.model.kinds import SERVICE, SERVICE_ENTRY, WORKLOAD_ENTRY, WORKLOAD_GROUP
from pymesh.control.model.resource import Key, Resource
from pymesh.control.registry.lease_table import LeaseKey, LeaseTable
from pymesh.control.registry.readiness_probe import build_probe
from pymesh.control.registry.workload import (
    build_service,
    build_workload_entry,
    is_automatic,
    is_leased,
    is_same,
    service_of,
)
from pymesh.control.store.errors import StoreError
from pymesh.control.store.store import ConfigStore
from pymesh.errors import PymeshError
from pymesh.names import service_fqdn
from pymesh.xds import LEASE_SECONDS, Registration, RegistrationAnswer

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
SERVICE_LINGER = 300.0
LOOK_SECONDS = 10.0

# Proxies that could not reach a control plane for a while try again at intervals of up to so many seconds.
RESTART_GRACE = 10.0


class NotLeasedError(PymeshError):
    """The name belongs to a WorkloadEntry that a user declared."""


class OtherIdentityError(PymeshError):
    """The name belongs to a workload of another service account."""


class UnknownGroupError(PymeshError):
    """The workload is to be registered under a WorkloadGroup that does not exist."""


class Registry:
    """`clock` tells monotonic seconds."""

    def __init__(
        self,
        store: ConfigStore,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._leases = LeaseTable(clock(), lease_seconds)
        self._lock = asyncio.Lock()
        self._next_look = clock()
        self._last_departure = 0  # the revision of it
        self._empty_since: dict[LeaseKey, float] = {}  # automatic Services without a workload

    async def start(self) -> None:
        """Take over the workloads of the control plane that ran before: all get time to renew their leases."""
        await self._adopt_entries()

    async def sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except StoreError as error:
                log.error("leases could not be ended: %s", error)

    async def register(self, namespace: str, name: str, registration: Registration) -> RegistrationAnswer:
        """Register the workload, or renew its lease and take over what has changed.

        Raises ValidationError, NotLeasedError, UnknownGroupError and OtherIdentityError; StoreError where a user
        changed the same objects in the same moment, or the store does not work.
        """
        group = await self._group(namespace, registration)
        wanted = build_workload_entry(namespace, name, registration, group)
        await self._renew_early(LeaseKey(namespace, name), registration.service_account)
        async with self._lock:
            known = await self._store.get(WORKLOAD_ENTRY.name, namespace, name)
            _check_owner(known, registration.service_account)
            is_news = known is None or not is_same(known, wanted)
            if known is None:
                await self._store.create(wanted)
                log.info("registered workload %s/%s of service %s", namespace, name, registration.service)
            elif is_news:
                await self._store.replace(wanted, None)
            self._leases.renew(LeaseKey(namespace, name), self._clock())
            self._empty_since.pop(LeaseKey(namespace, registration.service), None)
            if is_news or await self._store.get(SERVICE.name, namespace, registration.service) is None:
                await self._declare_service(namespace, registration.service)
        probe = group.spec.probe if group is not None else None
        return RegistrationAnswer(build_probe(probe) if probe is not None else None)

    async def deregister(self, namespace: str, name: str, service_account: str | None = None) -> int:
        """End the lease. Returns the revision at which the workload is gone; if it was already, that of the last one
        that went.

        `service_account`: whose workload it must be; None: anybody's. Raises NotLeasedError and OtherIdentityError.
        """
        async with self._lock:
            known = await self._store.get(WORKLOAD_ENTRY.name, namespace, name)
            if known is not None:
                _check_owner(known, service_account)
                await self._delete(known.key)
                log.info("workload %s/%s left", namespace, name)
            self._leases.end(LeaseKey(namespace, name))
            return self._last_departure

    async def sweep(self) -> None:
        """Remove the workloads whose leases are over, and the automatic Services that nobody needs any more."""
        async with self._lock:
            for key in self._leases.expired(self._clock()):
                await self._expire(key)
            if self._clock() >= self._next_look:
                self._next_look = self._clock() + LOOK_SECONDS
                await self._adopt_entries()
                await self._remove_empty_services()

    async def _group(self, namespace: str, registration: Registration) -> Resource[Any] | None:
        """Looked up at each renewal, so that what changes in it is taken over."""
        if not registration.group:
            return None
        group = await self._store.get(WORKLOAD_GROUP.name, namespace, registration.group)
        if group is None:
            raise UnknownGroupError(f"cannot find WorkloadGroup {namespace}/{registration.group}")
        _check_account(group, registration.service_account)
        return group

    async def _renew_early(self, key: LeaseKey, service_account: str) -> None:
        """Before the lock: where many register at once, its turn may come after its lease has ended."""
        if key in self._leases:
            _check_owner(await self._store.get(WORKLOAD_ENTRY.name, *key), service_account)
            self._leases.renew(key, self._clock())

    async def _adopt_entries(self) -> None:
        """Workloads of the control plane that ran before, or that a user restored from a copy: all get time to renew.

        What a sidecar registered and nobody renews must not stay for ever.
        """
        for entry in await self._leased_entries():
            key = LeaseKey(entry.namespace, entry.name)
            if key not in self._leases:
                self._leases.renew(key, self._clock(), RESTART_GRACE)

    async def _expire(self, key: LeaseKey) -> None:
        if not self._leases.has_expired(key, self._clock()):
            return  # renewed while others were removed
        entry = await self._store.get(WORKLOAD_ENTRY.name, *key)
        if entry is not None and is_leased(entry):
            await self._delete(entry.key)
            log.warning("workload %s/%s is gone: its lease was not renewed", *key)
        self._leases.end(key)

    async def _delete(self, entry: Key) -> None:
        gone = await self._store.delete(*entry)
        self._last_departure = int(gone.metadata.resource_version)

    async def _declare_service(self, namespace: str, name: str) -> None:
        known = await self._store.get(SERVICE.name, namespace, name)
        if known is not None and not is_automatic(known):
            return
        if known is None and await self._is_service_entry(service_fqdn(name, namespace)):
            return
        workloads = [entry for entry in await self._leased_entries(namespace) if service_of(entry) == name]
        wanted = build_service(namespace, name, workloads)
        if known is None:
            await self._store.create(wanted)
        elif not is_same(known, wanted):
            await self._store.replace(wanted, known.metadata.resource_version)

    async def _is_service_entry(self, host: str) -> bool:
        return any(host in entry.spec.hosts for entry in await self._store.list(SERVICE_ENTRY.name))

    async def _leased_entries(self, namespace: str | None = None) -> list[Resource[Any]]:
        return [entry for entry in await self._store.list(WORKLOAD_ENTRY.name, namespace) if is_leased(entry)]

    async def _remove_empty_services(self) -> None:
        now = self._clock()
        empty = await self._empty_services()
        self._empty_since = {key: self._empty_since.get(key, now) for key in empty}
        for key, since in self._empty_since.items():
            if now - since > SERVICE_LINGER:
                # Not what a user declared meanwhile under the same name.
                await self._store.delete(SERVICE.name, *key, expected_version=empty[key])
                log.info("service %s/%s has had no workload for %.0f s, removed", *key, SERVICE_LINGER)

    async def _empty_services(self) -> dict[LeaseKey, str]:
        """The automatic Services without a workload, and their versions."""
        used = {LeaseKey(entry.namespace, service_of(entry)) for entry in await self._leased_entries()}
        automatic = [service for service in await self._store.list(SERVICE.name) if is_automatic(service)]
        versions = {LeaseKey(item.namespace, item.name): item.metadata.resource_version for item in automatic}
        return {key: version for key, version in versions.items() if key not in used}


def _check_account(group: Resource[Any], service_account: str) -> None:
    """Istio: ensureProxyCanControlEntry in pilot/pkg/autoregistration/controller.go."""
    account = group.spec.template.service_account
    if account and account != service_account:
        raise OtherIdentityError(
            f"WorkloadGroup {group.namespace}/{group.name} is for service account {account}, not {service_account}"
        )


def _check_owner(known: Resource[Any] | None, service_account: str | None) -> None:
    if known is None:
        return
    if not is_leased(known):
        raise NotLeasedError(f"WorkloadEntry {known.namespace}/{known.name} was declared by a user")
    owner = known.spec.service_account
    if service_account is not None and owner != service_account:
        raise OtherIdentityError(
            f"workload {known.namespace}/{known.name} belongs to service account {owner}, not {service_account}"
        )
