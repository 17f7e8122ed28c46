"""Plays one case against one proxy: does what the script says at both ends, and tells what it has seen."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from oracle.endpoints import OPEN, Client, Server
from oracle.observation import Observation
from oracle.proxies import Proxy
from oracle.script import CLOSE, NOTHING, OK, RESET, Case

WAIT_SECONDS = 3.0  # after that, what a step waits for does not come
_QUIET_SECONDS = 0.3  # without a byte or an end: nothing more will happen
_LOG_SECONDS = 0.15  # until a line is in the file
_CLIENT_ADDRESS = "127.0.0.2"  # of 127.0.0.1, Envoy thinks that it is itself, and tells the machine's address instead
_SERVER_VERBS = frozenset(("requested", "receives", "write", "server_closes", "server_resets", "abandoned"))
_CLIENT_WAITS = frozenset(("answered", "sees", "closed", "hang_up", "reset", "pause"))


class Player:
    def __init__(self, case: Case, proxy: Proxy, number: int, sockets: Mapping[str, Any], patience: float) -> None:
        """`patience` 1.0 is for a machine that has little else to do."""
        self._case = case
        self._proxy = proxy
        self._port = proxy.ports[f"case-{number}"]
        self._sockets = sockets
        self._patience = patience
        self._clients: dict[int, Client] = {}
        self._servers: list[Server] = []
        self._current: Server | None = None
        self._answers: list[Any] | None = None
        self._changed = asyncio.Event()
        self._missed: list[str] = []

    async def play(self) -> Observation:
        loop = asyncio.get_running_loop()
        listeners = [
            await loop.create_server(lambda label=label: self._new_server(label), sock=sock.dup())
            for label, sock in self._sockets.items()
        ]
        self._proxy.log.take(self._port)
        try:
            await self._run()
            await self._wait_quiet()
            return await self._finish()
        finally:
            for peer in (*self._clients.values(), *self._servers):
                peer.abort()
            for listener in listeners:
                listener.close()

    async def _run(self) -> None:
        verbs = {step.verb for step in self._case.steps}
        if "serve" not in verbs and not verbs & _SERVER_VERBS:
            self._answers = [OK]
        for step in self._case.steps:
            arguments = [item for item in (step.data, step.on) if item is not None]
            outcome = getattr(self, f"_{step.verb}")(*arguments)
            if asyncio.iscoroutine(outcome) and await outcome is False:
                self._missed.append(str(step))
        if not verbs & _CLIENT_WAITS:
            await self._until(lambda: any(self._has_answer(item, 1) for item in self._clients.values()))

    async def _finish(self) -> Observation:
        """The fates as they are now; then the client goes, so that every request is complete and logged."""
        seen = Observation.of(list(self._clients.values()), self._servers, self._missed)
        for client in self._clients.values():
            client.close()
        await asyncio.sleep(_LOG_SECONDS * self._patience)
        seen.add_log(self._proxy.log.take(self._port))
        return seen

    def _new_server(self, label: str) -> Server:
        server = Server(label, self._on_change)
        self._servers.append(server)
        return server

    def _on_change(self) -> None:
        if self._answers is not None:
            self._serve_all()
        self._changed.set()

    # waiting

    async def _until(self, is_true: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + WAIT_SECONDS * self._patience
        while not is_true():
            self._changed.clear()
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._changed.wait()
            except TimeoutError:
                return is_true()
        return True

    async def _wait_quiet(self) -> None:
        quiet = _QUIET_SECONDS * self._patience
        is_quiet = False
        while not is_quiet:
            self._changed.clear()
            try:
                async with asyncio.timeout(quiet):
                    await self._changed.wait()
            except TimeoutError:
                is_quiet = True

    # the client

    async def _client(self, on: int) -> Client:
        if on not in self._clients:
            loop = asyncio.get_running_loop()
            _, self._clients[on] = await loop.create_connection(
                lambda: Client(self._on_change), "127.0.0.1", self._port, local_addr=(_CLIENT_ADDRESS, 0)
            )
        return self._clients[on]

    async def _send(self, data: bytes, on: int) -> None:
        (await self._client(on)).send(data)

    async def _drip(self, data: bytes, on: int) -> None:
        client = await self._client(on)
        for i in range(len(data)):
            client.send(data[i : i + 1])
            await asyncio.sleep(0.001)

    async def _answered(self, count: int, on: int) -> bool:
        client = self._clients[on]
        client.awaited += count
        return await self._until(lambda: self._has_answer(client, client.awaited))

    def _has_answer(self, client: Client, count: int) -> bool:
        return client.fate != OPEN or len(client.conversation.finals) >= count

    async def _sees(self, data: bytes, on: int) -> bool:
        return await self._until(lambda: data in self._clients[on].received)

    async def _closed(self, on: int) -> bool:
        return await self._until(lambda: self._clients[on].fate != OPEN)

    def _hang_up(self, on: int) -> None:
        self._clients[on].close()

    def _reset(self, on: int) -> None:
        self._clients[on].reset()

    def _end_sending(self, on: int) -> None:
        self._clients[on].end_sending()

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    # the server, by hand

    async def _requested(self, at: str) -> bool:
        def find() -> Server | None:
            fitting = (item for item in self._servers if item.label == at or not at)
            return next((item for item in fitting if item.next_request() is not None), None)

        found = await self._until(lambda: find() is not None)
        self._current = find() or self._current
        if found and self._current is not None:
            self._current.taken += 1
        return found

    async def _receives(self, data: bytes) -> bool:
        current = self._current
        return current is not None and await self._until(lambda: data in current.received)

    def _write(self, data: bytes) -> None:
        if self._current is not None:
            self._current.send(data)

    def _server_closes(self) -> None:
        if self._current is not None:
            self._current.close()

    def _server_resets(self) -> None:
        if self._current is not None:
            self._current.reset()

    async def _abandoned(self) -> bool:
        current = self._current
        return current is not None and await self._until(lambda: current.fate != OPEN)

    # the server, by itself

    def _serve(self, answers: tuple[Any, ...]) -> None:
        self._answers = list(answers)
        self._serve_all()

    def _serve_all(self) -> None:
        for server in self._servers:
            while not server.is_ours_closed and (message := server.next_request()) is not None and message.is_complete:
                server.taken += 1
                self._answer(server)

    def _answer(self, server: Server) -> None:
        assert self._answers
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer == CLOSE:
            server.close()
        elif answer == RESET:
            server.reset()
        elif answer != NOTHING:
            server.send(answer)
