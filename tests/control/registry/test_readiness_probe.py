import pytest

from pymesh import xds
from pymesh.control.model.serializer import decode
from pymesh.control.registry.readiness_probe import build_probe


def workload_group(**probe):
    metadata = {"name": "payments", "namespace": "shop"}
    spec = {"template": {}, "probe": probe}
    return decode({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"tcpSocket": {"port": 80, "host": "10.0.0.1"}},
            xds.ReadinessProbe(
                80, "10.0.0.1", None, initial_delay=0, timeout=1, period=10, success_threshold=1, failure_threshold=3
            ),
        ),
        (
            {
                "httpGet": {"port": 81, "path": "up", "scheme": "HTTPS", "httpHeaders": [{"name": "a", "value": "b"}]},
                "initialDelaySeconds": 1,
                "timeoutSeconds": 2,
                "periodSeconds": 3,
                "successThreshold": 4,
                "failureThreshold": 5,
            },
            xds.ReadinessProbe(81, "", xds.HttpProbe("/up", "https", (("a", "b"),)), (), 1, 2, 3, 4, 5),
        ),
        (
            {"exec": {"command": ["cat", "/tmp/healthy"]}, "timeoutSeconds": 2},
            xds.ReadinessProbe(command=("cat", "/tmp/healthy"), timeout=2, period=10),
        ),
        ({"grpc": {"port": 50051}}, xds.ReadinessProbe(50051, grpc_service="")),
        ({"grpc": {"port": 50051, "service": "a.B"}}, xds.ReadinessProbe(50051, grpc_service="a.B")),
    ],
)
def test_a_probe_is_told_with_istios_defaults(fields, expected):
    assert build_probe(workload_group(**fields).spec.probe) == expected


async def test_a_registration_is_answered_with_the_probe_of_its_group(registry, store, registration):
    await store.create(workload_group(tcpSocket={"port": 80}))
    answer = await registry.register("shop", "payments-1", registration(group="payments"))
    assert answer == xds.RegistrationAnswer(xds.ReadinessProbe(port=80))
    assert await registry.register("shop", "payment-1", registration()) == xds.RegistrationAnswer()
