"""The poll loop against a scripted control plane: each step is what one poll is answered with."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from pymesh.errors import ControlUnreachableError
from pymesh.proxy.control_client import ControlRefusedError, UnknownNonceError
from pymesh.proxy.xds.client import XdsClient
from pymesh.proxy.xds.disk_cache import HeldResources, no_resources
from pymesh.xds import (
    CLUSTER,
    ROUTE,
    TYPES,
    DeltaAnswer,
    DeltaPoll,
    DeltaRequest,
    DeltaResource,
    DeltaResponse,
    ErrorDetail,
    Node,
    ProxySettings,
)

NODE = Node("sidecar~127.0.0.1~a.default~default.svc.cluster.local")
GOOD = DeltaResource("good", "1", {"name": "good"})
BAD = DeltaResource("bad", "1", {"name": "bad"})
NOTHING_NEW = None
HANG = "hang"

Step = DeltaAnswer | Exception | str | None


class ScriptedControl:
    """Answers poll by poll from the script, then holds the poll for ever and sets `done`."""

    url = "https://control"

    def __init__(self, *script: Step) -> None:
        self.polls: list[DeltaPoll] = []
        self.done = asyncio.Event()
        self._script = list(script)

    async def poll(self, poll: DeltaPoll) -> DeltaAnswer | None:
        self.polls.append(poll)
        if not self._script:
            self.done.set()
        step = self._script.pop(0) if self._script else HANG
        if isinstance(step, Exception):
            raise step
        if isinstance(step, str):
            await asyncio.Event().wait()
            raise AssertionError
        return step

    def request(self, poll: int, type_url: str) -> DeltaRequest:
        return next(request for request in self.polls[poll].requests if request.type_url == type_url)


class FakeRuntime:
    """Refuses resources named `bad`."""

    def __init__(self, on_disk: HeldResources | None = None) -> None:
        self.held = no_resources()
        self._on_disk = on_disk

    async def apply(self, responses: Sequence[DeltaResponse]) -> Mapping[str, Mapping[str, str]]:
        rejections: dict[str, dict[str, str]] = {}
        for response in responses:
            for resource in response.resources:
                if resource.name == "bad":
                    rejections.setdefault(response.type_url, {})["bad"] = "type: unknown"
                else:
                    self.held[response.type_url][resource.name] = resource
        return rejections

    async def load(self) -> bool:
        if self._on_disk is None:
            return False
        self.held = self._on_disk
        return True


class Configured:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


async def drive(control: ScriptedControl, runtime: FakeRuntime, configured: Configured | None = None) -> list[float]:
    """Run the client until the script is over; returns how long it would have slept."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client = XdsClient(NODE, control, runtime, configured or Configured(), sleep)
    task = asyncio.create_task(client.run())
    await control.done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return slept


def answer(nonce: str, *resources: DeltaResource, type_url: str = CLUSTER) -> DeltaAnswer:
    return DeltaAnswer((DeltaResponse(type_url, nonce, resources),))


async def test_the_first_poll_asks_for_all_types_and_says_who_asks() -> None:
    control = ScriptedControl()
    await drive(control, FakeRuntime())
    assert control.polls[0].node == NODE
    assert control.polls[0].requests == tuple(DeltaRequest(type_url) for type_url in TYPES)


async def test_the_settings_that_came_are_obeyed_and_told_of() -> None:
    settings = ProxySettings(termination_drain=5.0)
    control = ScriptedControl(DeltaAnswer((), settings), NOTHING_NEW)
    await drive(control, FakeRuntime())
    assert [poll.settings for poll in control.polls] == [ProxySettings(), settings, settings]


async def test_an_answer_is_accepted_by_sending_its_nonce_without_an_error() -> None:
    control = ScriptedControl(answer("n1", GOOD))
    await drive(control, FakeRuntime())
    assert control.request(1, CLUSTER) == DeltaRequest(CLUSTER, "n1")


async def test_a_type_without_an_answer_keeps_saying_what_it_holds() -> None:
    control = ScriptedControl(answer("n1", GOOD))
    await drive(control, FakeRuntime())
    assert control.request(1, ROUTE) == DeltaRequest(ROUTE)


async def test_a_refused_resource_is_named_in_the_error_detail() -> None:
    control = ScriptedControl(answer("n1", GOOD, BAD))
    await drive(control, FakeRuntime())
    assert control.request(1, CLUSTER) == DeltaRequest(CLUSTER, "n1", error_detail=ErrorDetail("bad: type: unknown"))


async def test_a_good_answer_ends_the_error() -> None:
    control = ScriptedControl(answer("n1", BAD), answer("n2", GOOD))
    await drive(control, FakeRuntime())
    assert control.request(2, CLUSTER) == DeltaRequest(CLUSTER, "n2")


async def test_a_poll_without_news_is_repeated_with_the_same_nonce() -> None:
    control = ScriptedControl(answer("n1", GOOD), NOTHING_NEW)
    assert await drive(control, FakeRuntime()) == []
    assert control.request(2, CLUSTER) == DeltaRequest(CLUSTER, "n1")


async def test_a_restarted_control_plane_is_told_at_once_what_the_proxy_holds() -> None:
    control = ScriptedControl(answer("n1", GOOD), UnknownNonceError())
    assert await drive(control, FakeRuntime()) == []
    assert control.request(2, CLUSTER) == DeltaRequest(CLUSTER, initial_resource_versions={"good": "1"})


async def test_a_control_plane_that_never_knows_the_nonce_is_not_asked_in_a_hot_loop() -> None:
    control = ScriptedControl(answer("n1", GOOD), UnknownNonceError(), UnknownNonceError())
    assert len(await drive(control, FakeRuntime())) == 1


async def test_a_broken_connection_is_followed_by_a_poll_with_versions() -> None:
    control = ScriptedControl(answer("n1", GOOD), ControlUnreachableError("refused"))
    await drive(control, FakeRuntime())
    assert control.request(2, CLUSTER) == DeltaRequest(CLUSTER, initial_resource_versions={"good": "1"})


async def test_each_back_off_is_one_line_that_says_why_and_how_long(caplog: pytest.LogCaptureFixture) -> None:
    control = ScriptedControl(answer("n1", GOOD), ControlUnreachableError("Connection refused"))
    [delay] = await drive(control, FakeRuntime())
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line == f"control plane at https://control unreachable: Connection refused; retrying in {delay:.1f} s"


async def test_back_off_grows_and_begins_anew_after_an_answer() -> None:
    gone = ControlUnreachableError("gone")
    control = ScriptedControl(answer("n1", GOOD), *[gone] * 12, NOTHING_NEW, gone)
    slept = await drive(control, FakeRuntime())
    assert max(slept[:12]) > 0.5
    assert slept[12] <= 0.5


async def test_a_refusal_is_retried_too(caplog: pytest.LogCaptureFixture) -> None:
    control = ScriptedControl(answer("n1", GOOD), ControlRefusedError("403 other namespace"))
    assert len(await drive(control, FakeRuntime())) == 1
    assert "refused: 403 other namespace" in caplog.text


async def test_a_proxy_comes_up_from_disk_when_the_control_plane_is_away() -> None:
    control = ScriptedControl(ControlUnreachableError("refused"))
    configured = Configured()
    await drive(control, FakeRuntime(no_resources() | {CLUSTER: {"good": GOOD}}), configured)
    assert configured.count == 1
    assert control.request(1, CLUSTER) == DeltaRequest(CLUSTER, initial_resource_versions={"good": "1"})


async def test_a_proxy_with_nothing_on_disk_is_not_configured_by_a_failure() -> None:
    configured = Configured()
    await drive(ScriptedControl(ControlUnreachableError("refused")), FakeRuntime(), configured)
    assert configured.count == 0


async def test_an_empty_configuration_is_a_configuration() -> None:
    configured = Configured()
    await drive(ScriptedControl(NOTHING_NEW), FakeRuntime(), configured)
    assert configured.count == 1


async def test_what_is_held_without_an_answer_is_told_at_once_as_to_a_new_control_plane() -> None:
    control, runtime = ScriptedControl(answer("n1", GOOD, BAD)), FakeRuntime()
    client = XdsClient(NODE, control, runtime, Configured())
    task = asyncio.create_task(client.run())
    await control.done.wait()  # the second poll is held; it rejects
    assert control.request(1, CLUSTER).error_detail is not None
    control.done.clear()
    runtime.held[CLUSTER]["bad"] = BAD
    client.tell_held()
    await asyncio.wait_for(control.done.wait(), 5)
    assert control.request(2, CLUSTER) == DeltaRequest(CLUSTER, initial_resource_versions={"good": "1", "bad": "1"})
    assert client.is_connected
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
