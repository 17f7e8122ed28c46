import pytest

from pymesh.control.registry.registry import Registry
from pymesh.control.store.memory import MemoryStore
from pymesh.names import TLS_MODE_LABEL
from pymesh.xds import Registration


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store():
    return MemoryStore()


@pytest.fixture
async def registry(store, clock):
    return Registry(store, clock, lease_seconds=5.0)


@pytest.fixture
def registration():
    """registration(**changed fields) -> a sidecar's registration of payment v1."""

    def build(**fields):
        defaults = {
            "service": "payment",
            "workload_name": "payment-v1",
            "address": "10.0.0.1",
            "port": 15006,
            "app_port": 8080,
            "app_protocol": "http",
            "service_account": "payment",
            "labels": {"version": "v1", TLS_MODE_LABEL: "istio"},
            "healthy": True,
        }
        return Registration(**(defaults | fields))

    return build
