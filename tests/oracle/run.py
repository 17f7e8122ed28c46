"""Plays cases against both proxies, many at a time, and compares."""

import asyncio
import resource
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from oracle.observation import Observation
from oracle.player import Player
from oracle.proxies import Envoy, Proxy, Pymesh
from oracle.resources import build_case, endpoints_of
from oracle.script import Case

_AT_A_TIME = 60
_AT_A_SECOND_TIME = 6
_DESCRIPTORS = 8192

Sockets = dict[str, socket.socket]


class Result(NamedTuple):
    envoy: Observation
    pymesh: Observation

    @property
    def differences(self) -> list[str]:
        return self.envoy.differences(self.pymesh)


class Results(NamedTuple):
    """By the case's name; `replayed` are those that came out as expected only when they were played again,
    and how they differed before."""

    by_case: dict[str, Result]
    replayed: dict[str, list[str]]


class Run:
    """Both proxies, up, with the listeners of all `cases`."""

    def __init__(self, cases: Sequence[Case], directory: Path, envoy: str) -> None:
        self._numbers = {case.name: number for number, case in enumerate(cases)}
        self._refused = _closed_port()
        self._sockets: dict[str, list[Sockets]] = {}
        _raise_limit()
        self.envoy, self.pymesh = Envoy(_made(directory / "envoy")), Pymesh(_made(directory / "pymesh"))
        try:
            self.envoy.start(envoy, self._resources(self.envoy, cases))
            self.pymesh.start(self._resources(self.pymesh, cases))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.pymesh.close()
        self.envoy.close()
        for sockets in self._sockets.values():
            for item in sockets:
                for sock in item.values():
                    sock.close()

    async def play_all(self, cases: Sequence[Case], expected: Mapping[str, list[str]]) -> Results:
        """A case that does not come out as expected is played again, with few others and more patience: a busy machine
        can make a short timeout long."""

        def is_expected(case: Case, results: Mapping[str, Result]) -> bool:
            return results[case.name].differences == expected.get(case.name, [])

        results = await self._play(cases, _AT_A_TIME, patience=1.0)
        doubtful = [case for case in cases if not is_expected(case, results)]
        again = await self._play(doubtful, _AT_A_SECOND_TIME, patience=2.0)
        replayed = {case.name: results[case.name].differences for case in doubtful if is_expected(case, again)}
        return Results(results | again, replayed)

    async def _play(self, cases: Sequence[Case], at_a_time: int, patience: float) -> dict[str, Result]:
        semaphore = asyncio.Semaphore(at_a_time)

        async def play(case: Case) -> Result:
            async with semaphore:
                return await self.play(case, patience)

        found = await asyncio.gather(*map(play, cases))
        return dict(zip((case.name for case in cases), found, strict=True))

    async def play(self, case: Case, patience: float) -> Result:
        number = self._numbers[case.name]
        envoy, pymesh = (
            Player(case, proxy, number, self._sockets[proxy.name][number], patience).play()
            for proxy in (self.envoy, self.pymesh)
        )
        return Result(*await asyncio.gather(envoy, pymesh))

    def _resources(self, proxy: Proxy, cases: Sequence[Case]) -> list[dict[str, object]]:
        all_sockets = self._sockets[proxy.name] = [
            {label: _listening() for label in endpoints_of(case.setup) if label not in case.setup.refusing}
            for case in cases
        ]
        found = []
        for number, (case, sockets) in enumerate(zip(cases, all_sockets, strict=True)):
            ports = {label: sock.getsockname()[1] for label, sock in sockets.items()}
            ports |= dict.fromkeys(case.setup.refusing, self._refused.getsockname()[1])
            found += build_case(number, case, ports)
        return found


def _listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    sock.setblocking(False)
    return sock


def _closed_port() -> socket.socket:
    """Bound and not listening: connections are refused as long as it is held."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def _raise_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory
