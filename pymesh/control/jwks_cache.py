"""The key sets that RequestAuthentications only name: fetched here, so that no proxy has to, and again in time."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import aiohttp

from pymesh.backoff import exponential_backoff
from pymesh.control.snapshot.jwks_source import Jwks, JwksSource
from pymesh.tasks import TaskGroup

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1200.0  # Istio: PILOT_JWT_PUB_KEY_REFRESH_INTERVAL
_RETRY = (1.0, 60.0)
_LARGEST = 1 << 20
_DISCOVERY = "/.well-known/openid-configuration"

Fetch = Callable[[JwksSource], Awaitable[str]]


class JwksError(Exception):
    """Not a key set, or none that could be fetched; says why."""


class JwksCache:
    """`on_change` is called whenever a key set is new. What was fetched once stays until it is fetched anew."""

    def __init__(self, fetch: Fetch | None = None, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self._fetch = fetch or fetch_jwks
        self._found: dict[JwksSource, str] = {}
        self._fetching: dict[JwksSource, asyncio.Task[None]] = {}
        self._tasks = TaskGroup()

    def want(self, sources: Iterable[JwksSource]) -> Jwks:
        """Keep these key sets, and no others; those of them that are here."""
        wanted = set(sources)
        for source in self._fetching.keys() - wanted:
            self._fetching.pop(source).cancel()
            self._found.pop(source, None)
        for source in wanted - self._fetching.keys():
            self._fetching[source] = self._tasks.spawn(f"fetch {source.uri or source.issuer}", self._keep(source))
        return dict(self._found)

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def _keep(self, source: JwksSource) -> None:
        delays = exponential_backoff(*_RETRY)
        while True:
            try:
                text = await self._fetch(source)
            except (JwksError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("no key set from %s: %s", source.uri or source.issuer, error or type(error).__name__)
                await asyncio.sleep(next(delays))
                continue
            if self._found.get(source) != text:
                self._found[source] = text
                self.on_change()
            delays = exponential_backoff(*_RETRY)
            await asyncio.sleep(REFRESH_SECONDS)


async def fetch_jwks(source: JwksSource) -> str:
    """Raises JwksError, aiohttp.ClientError or TimeoutError."""
    timeout = aiohttp.ClientTimeout(source.timeout)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        uri = source.uri or await _discover(session, source.issuer)
        text = await _get(session, uri)
    if not isinstance(_read_object(text, uri).get("keys"), list):
        raise JwksError(f"{uri} answers with no key set")
    return text


async def _discover(session: aiohttp.ClientSession, issuer: str) -> str:
    """https://openid.net/specs/openid-connect-discovery-1_0.html"""
    document = issuer.rstrip("/") + _DISCOVERY
    uri = _read_object(await _get(session, document), document).get("jwks_uri")
    if not isinstance(uri, str):
        raise JwksError(f"{document} has no jwks_uri")
    return uri


async def _get(session: aiohttp.ClientSession, uri: str) -> str:
    async with session.get(uri) as response:
        if response.status != 200:
            raise JwksError(f"{uri} answers {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _LARGEST:
                raise JwksError(f"{uri} answers with more than {_LARGEST} bytes")
    return body.decode(errors="replace")


def _read_object(text: str, uri: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise JwksError(f"{uri} answers with no JSON object")
    return value
