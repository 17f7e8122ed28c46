"""When refused listeners are tried again, with a runtime that recovers when the test says."""

import asyncio

from pymesh.proxy.xds.listener_retry import BACKOFF_MAXIMUM, ListenerRetry
from pymesh.xds import LISTENER


class FakeRuntime:
    """Accepts `in` at the attempt `succeeds_at`."""

    def __init__(self, succeeds_at: int) -> None:
        self.rejected = {LISTENER: {"in": "address already in use"}}
        self.has_refused_listener = asyncio.Event()
        self.attempts = 0
        self._succeeds_at = succeeds_at

    async def retry_listeners(self) -> list[str]:
        self.attempts += 1
        if self.attempts < self._succeeds_at:
            return []
        self.rejected[LISTENER].clear()
        self.has_refused_listener.clear()
        return ["in"]


async def test_a_refused_listener_is_tried_with_growing_pauses_until_it_is_accepted() -> None:
    runtime, slept, recovered = FakeRuntime(succeeds_at=20), [], asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    task = asyncio.create_task(ListenerRetry(runtime, recovered.set, sleep).run())
    await asyncio.sleep(0)
    assert runtime.attempts == 0, "nothing is refused yet"
    runtime.has_refused_listener.set()
    await asyncio.wait_for(recovered.wait(), 5)
    assert len(slept) == runtime.attempts == 20
    assert max(slept[:2]) <= 2.0
    assert 2.0 < max(slept) <= BACKOFF_MAXIMUM
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
