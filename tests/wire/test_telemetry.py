"""Telemetry, where it changes what the next hop gets."""

from typing import Any

TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: tracing, namespace: istio-system}
spec: {tracing: [{MORE}]}
"""
REQUEST_ID = "00000007-0000-4000-8000-000000000000"  # the 8th of 10,000


async def headers_behind(mesh: Any, more: str, **headers: str) -> dict[str, str]:
    await mesh.start("v1")
    async with mesh.sidecar(TELEMETRY.replace("MORE", more)) as web:
        seen: dict[str, str] = (await web.get("http://shop/", **headers)).seen["headers"]
    return seen


async def test_the_context_of_a_trace_goes_on(mesh: Any) -> None:
    assert "traceparent" in await headers_behind(mesh, "randomSamplingPercentage: 100")


async def test_it_does_not_where_that_is_switched_off(mesh: Any) -> None:
    more = "randomSamplingPercentage: 100, disableContextPropagation: true"
    assert "traceparent" not in await headers_behind(mesh, more)


async def test_the_request_id_decides_on_a_trace_and_carries_the_decision(mesh: Any) -> None:
    more = "randomSamplingPercentage: 0.08, useRequestIdForTraceSampling: true"
    headers = await headers_behind(mesh, more, x_request_id=REQUEST_ID)
    assert headers["x-request-id"] == REQUEST_ID.replace("-4", "-9")
    assert headers["traceparent"].endswith("-01")


async def test_an_id_that_is_not_sampled_stays_as_it_is(mesh: Any) -> None:
    more = "randomSamplingPercentage: 0.07, useRequestIdForTraceSampling: true"
    headers = await headers_behind(mesh, more, x_request_id=REQUEST_ID)
    assert headers["x-request-id"] == REQUEST_ID
    assert headers["traceparent"].endswith("-00")
