import asyncio
import logging

from pymesh.tasks import TaskGroup


async def test_a_crash_is_logged_by_name_and_counted(caplog):
    async def crash():
        raise RuntimeError("boom")

    tasks = TaskGroup()
    await asyncio.wait([tasks.spawn("lease sweep", crash())])
    assert tasks.crashes == 1
    assert caplog.record_tuples == [("pymesh.tasks", logging.ERROR, "task lease sweep crashed")]


async def test_closing_cancels_what_still_runs():
    tasks = TaskGroup()
    task = tasks.spawn("forever", asyncio.Event().wait())
    await tasks.aclose()
    assert task.cancelled()
    assert tasks.crashes == 0
