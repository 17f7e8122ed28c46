import asyncio

import msgspec
import pytest

from pymesh.control.model.serializer import decode
from pymesh.control.registry.registry import NotLeasedError, OtherIdentityError, Registry, UnknownGroupError
from pymesh.control.registry.workload import build_workload_entry
from pymesh.control.store.memory import MemoryStore
from pymesh.errors import ValidationError


async def sweep_until(registry, clock, end):
    while clock.now < end:
        clock.now += 0.5
        await registry.sweep()


class SlowStore(MemoryStore):
    """Its disk is as slow as `gate` says; `deleted` has the names of what was."""

    def __init__(self):
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_waiting = asyncio.Event()
        self.deleted = []

    async def create(self, resource):
        if not self.gate.is_set():
            self.is_waiting.set()
        await self.gate.wait()
        return await super().create(resource)

    async def delete(self, kind, namespace, name, expected_version=None):
        self.deleted.append(name)
        return await super().delete(kind, namespace, name, expected_version)


async def names(store, kind):
    return [(resource.namespace, resource.name) for resource in await store.list(kind)]


def user_service(**metadata):
    return decode(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "payment", "namespace": "shop", **metadata},
            "spec": {"ports": [{"port": 9000, "name": "http"}], "selector": {"app": "payment"}},
        }
    )


async def test_a_workload_and_its_service_are_there_once_it_has_registered(registry, store, registration):
    await registry.register("shop", "payment-1", registration())
    assert await names(store, "WorkloadEntry") == [("shop", "payment-1")]
    assert await names(store, "Service") == [("shop", "payment")]


async def test_a_renewal_writes_nothing(registry, store, registration):
    await registry.register("shop", "payment-1", registration())
    revision = store.revision
    await registry.register("shop", "payment-1", registration())
    assert store.revision == revision


async def test_a_change_of_health_is_written(registry, store, registration):
    await registry.register("shop", "payment-1", registration(healthy=False))
    await registry.register("shop", "payment-1", registration(healthy=True))
    entry = await store.get("WorkloadEntry", "shop", "payment-1")
    assert entry.status["conditions"][0]["status"] == "True"


async def test_a_workload_that_does_not_renew_is_gone(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    await sweep_until(registry, clock, 1005)
    assert await names(store, "WorkloadEntry") == [("shop", "payment-1")]
    await sweep_until(registry, clock, 1005.5)
    assert await names(store, "WorkloadEntry") == []


async def test_a_workload_that_returns_after_its_lease_ended_is_registered_again(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    await sweep_until(registry, clock, 1010)
    await registry.register("shop", "payment-1", registration())
    assert await names(store, "WorkloadEntry") == [("shop", "payment-1")]


async def test_a_pause_of_the_control_plane_removes_nobody(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    clock.now += 3600
    await registry.sweep()
    assert await names(store, "WorkloadEntry") == [("shop", "payment-1")]


async def test_a_renewal_counts_from_its_arrival_even_where_it_has_to_wait_for_its_turn(clock, registration):
    store = SlowStore()
    registry = Registry(store, clock, lease_seconds=5.0)
    await registry.register("shop", "payment-1", registration())
    await sweep_until(registry, clock, clock.now + 4)
    store.gate.clear()
    other = asyncio.create_task(registry.register("shop", "payment-2", registration()))
    await store.is_waiting.wait()
    clock.now += 0.5
    sweep = asyncio.create_task(registry.sweep())
    await asyncio.sleep(0)
    renewal = asyncio.create_task(registry.register("shop", "payment-1", registration()))
    await asyncio.sleep(0)
    clock.now += 1.0
    store.gate.set()
    await asyncio.gather(other, sweep, renewal)
    assert "payment-1" not in store.deleted


async def test_a_copy_of_a_workload_that_nobody_renews_does_not_stay(registry, store, registration, clock):
    await store.create(build_workload_entry("shop", "payment-1", registration()))
    await sweep_until(registry, clock, clock.now + 12)
    assert await names(store, "WorkloadEntry") == [("shop", "payment-1")]
    await sweep_until(registry, clock, clock.now + 20)
    assert await names(store, "WorkloadEntry") == []


async def test_workloads_survive_a_restart_of_the_control_plane(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    clock.now += 3600
    restarted = Registry(store, clock, lease_seconds=5.0)
    await restarted.start()
    await sweep_until(restarted, clock, clock.now + 14)
    assert await names(store, "WorkloadEntry") == [("shop", "payment-1")]
    await sweep_until(restarted, clock, clock.now + 2)
    assert await names(store, "WorkloadEntry") == []


async def test_a_workload_entry_of_a_user_has_no_lease(registry, store, clock):
    fields = {"metadata": {"name": "vm", "namespace": "shop"}, "spec": {"address": "10.0.0.9"}}
    await store.create(decode({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", **fields}))
    await registry.start()
    await sweep_until(registry, clock, 1100)
    assert await names(store, "WorkloadEntry") == [("shop", "vm")]


async def test_a_workload_entry_of_a_user_is_not_taken_over(registry, store, registration):
    fields = {"metadata": {"name": "vm", "namespace": "shop"}, "spec": {"address": "10.0.0.9"}}
    await store.create(decode({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", **fields}))
    with pytest.raises(NotLeasedError, match="declared by a user"):
        await registry.register("shop", "vm", registration())
    with pytest.raises(NotLeasedError):
        await registry.deregister("shop", "vm")


async def test_a_workload_is_not_taken_over_by_another_identity(registry, registration):
    await registry.register("shop", "payment-1", registration())
    with pytest.raises(OtherIdentityError, match="belongs to service account payment, not evil"):
        await registry.register("shop", "payment-1", registration(service_account="evil"))
    with pytest.raises(OtherIdentityError):
        await registry.deregister("shop", "payment-1", "evil")


async def test_what_was_deregistered_is_gone_at_the_revision_that_is_returned(registry, store, registration):
    await registry.register("shop", "payment-1", registration())
    revision = await registry.deregister("shop", "payment-1", "payment")
    assert revision == store.revision
    assert await names(store, "WorkloadEntry") == []


async def test_deregistering_twice_is_no_error(registry, registration):
    await registry.register("shop", "payment-1", registration())
    revision = await registry.deregister("shop", "payment-1")
    assert await registry.deregister("shop", "payment-1") == revision


async def test_nothing_is_stored_of_a_bad_registration(registry, store, registration):
    with pytest.raises(ValidationError):
        await registry.register("shop", "payment-1", registration(address="not an address"))
    assert store.revision == 0


async def test_a_declared_service_is_left_alone(registry, store, registration):
    await store.create(user_service())
    await registry.register("shop", "payment-1", registration())
    service = await store.get("Service", "shop", "payment")
    assert service.spec.ports[0].port == 9000


async def test_a_service_that_is_declared_later_takes_the_automatic_ones_place(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    await store.replace(user_service(), None)
    await registry.register("shop", "payment-1", registration(healthy=False))
    await sweep_until(registry, clock, 1400)
    service = await store.get("Service", "shop", "payment")
    assert service.spec.ports[0].port == 9000


async def test_a_service_entry_of_the_name_is_a_declaration(registry, store, registration):
    spec = {"hosts": ["payment.shop.svc.cluster.local"], "ports": [{"number": 80, "name": "http"}]}
    metadata = {"name": "payment", "namespace": "shop"}
    entry = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": spec}
    await store.create(decode(entry))
    await registry.register("shop", "payment-1", registration())
    assert await names(store, "Service") == []


async def test_an_automatic_service_that_a_user_deleted_comes_back_with_the_next_renewal(registry, store, registration):
    await registry.register("shop", "payment-1", registration())
    await store.delete("Service", "shop", "payment")
    await registry.register("shop", "payment-1", registration())
    assert await names(store, "Service") == [("shop", "payment")]


async def test_an_automatic_service_follows_its_workloads(registry, store, registration):
    tcp = registration(service="db", app_protocol="tcp", app_port=5432)
    await registry.register("shop", "db-1", tcp)
    await registry.register("shop", "db-1", msgspec.structs.replace(tcp, app_port=6432))
    service = await store.get("Service", "shop", "db")
    assert [port.port for port in service.spec.ports] == [6432]


async def test_an_automatic_service_stays_while_its_workload_restarts(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    await registry.deregister("shop", "payment-1")
    await sweep_until(registry, clock, 1200)
    assert await names(store, "Service") == [("shop", "payment")]
    await registry.register("shop", "payment-1", registration())
    await registry.sweep()
    await registry.deregister("shop", "payment-1")
    await sweep_until(registry, clock, 1400)
    assert await names(store, "Service") == [("shop", "payment")]


async def test_an_automatic_service_goes_some_time_after_its_last_workload(registry, store, registration, clock):
    await registry.register("shop", "payment-1", registration())
    await registry.deregister("shop", "payment-1")
    await sweep_until(registry, clock, 1320)
    assert await names(store, "Service") == []


def workload_group(**template):
    spec = {"metadata": {"labels": {"tier": "gold"}}, "template": template}
    metadata = {"name": "payments", "namespace": "shop"}
    return decode({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": spec})


async def test_a_change_of_the_group_is_there_after_the_next_renewal(registry, store, registration):
    await store.create(workload_group(weight=1))
    await registry.register("shop", "payments-1", registration(group="payments"))
    await store.replace(workload_group(weight=7), None)
    await registry.register("shop", "payments-1", registration(group="payments"))
    entry = await store.get("WorkloadEntry", "shop", "payments-1")
    assert (entry.spec.weight, entry.spec.labels["tier"]) == (7, "gold")


async def test_a_renewal_under_a_group_writes_nothing(registry, store, registration):
    await store.create(workload_group(weight=1))
    await registry.register("shop", "payments-1", registration(group="payments"))
    revision = store.revision
    await registry.register("shop", "payments-1", registration(group="payments"))
    assert store.revision == revision


async def test_a_group_that_does_not_exist_is_named(registry, store, registration):
    with pytest.raises(UnknownGroupError, match="cannot find WorkloadGroup shop/payments"):
        await registry.register("shop", "payments-1", registration(group="payments"))
    assert await names(store, "WorkloadEntry") == []


async def test_a_workload_whose_group_is_gone_goes_with_its_lease(registry, store, registration, clock):
    await store.create(workload_group())
    await registry.register("shop", "payments-1", registration(group="payments"))
    await store.delete("WorkloadGroup", "shop", "payments")
    await sweep_until(registry, clock, 1004)
    with pytest.raises(UnknownGroupError):
        await registry.register("shop", "payments-1", registration(group="payments"))
    await sweep_until(registry, clock, 1005.5)
    assert await names(store, "WorkloadEntry") == []


async def test_a_group_is_for_the_service_account_of_its_template(registry, store, registration):
    await store.create(workload_group(serviceAccount="billing"))
    with pytest.raises(OtherIdentityError, match="shop/payments is for service account billing, not payment"):
        await registry.register("shop", "payments-1", registration(group="payments"))
