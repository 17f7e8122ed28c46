import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from pymesh.control import jwks_cache
from pymesh.control.jwks_cache import JwksCache, JwksError, fetch_jwks
from pymesh.control.model.serializer import decode
from pymesh.control.snapshot.jwks_source import JwksSource, jwks_sources

KEYS = '{"keys": []}'
SOURCE = JwksSource("http://issuer/keys", "")


@pytest.fixture
async def issuer() -> AsyncIterator[Any]:
    """Answers with `issuer.answers[path]`; `issuer.url` is where it is."""
    runner = web.ServerRunner(web.Server(lambda request: _answer(request)))
    answers: dict[str, tuple[int, str]] = {}

    async def _answer(request: web.BaseRequest) -> web.Response:
        status, text = answers.get(request.path, (404, ""))
        return web.Response(status=status, text=text)

    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield type("Issuer", (), {"answers": answers, "url": f"http://127.0.0.1:{runner.addresses[0][1]}"})
    await runner.cleanup()


@pytest.fixture
async def make_cache() -> AsyncIterator[Any]:
    caches = []

    def make(fetch: Any) -> tuple[JwksCache, asyncio.Queue[bool]]:
        changes: asyncio.Queue[bool] = asyncio.Queue()
        caches.append(JwksCache(fetch, lambda: changes.put_nowait(True)))
        return caches[-1], changes

    yield make
    for cache in caches:
        await cache.aclose()


async def test_keys_are_fetched_from_the_uri(issuer: Any) -> None:
    issuer.answers["/keys"] = (200, KEYS)
    assert await fetch_jwks(JwksSource(f"{issuer.url}/keys", "")) == KEYS


async def test_keys_are_found_by_the_issuers_discovery(issuer: Any) -> None:
    issuer.answers["/.well-known/openid-configuration"] = (200, f'{{"jwks_uri": "{issuer.url}/k"}}')
    issuer.answers["/k"] = (200, KEYS)
    assert await fetch_jwks(JwksSource("", f"{issuer.url}/")) == KEYS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, ""), "answers 404"),
        ((200, "<html>"), "no JSON object"),
        ((200, '{"keys": 1}'), "no key set"),
        ((200, " " * (1 << 20) + KEYS), "more than"),
    ],
)
async def test_what_is_no_key_set_is_an_error(issuer: Any, answer: tuple[int, str], reason: str) -> None:
    issuer.answers["/keys"] = answer
    with pytest.raises(JwksError, match=reason):
        await fetch_jwks(JwksSource(f"{issuer.url}/keys", ""))


async def test_a_new_key_set_is_announced_and_then_there(make_cache: Any) -> None:
    async def fetch(source: JwksSource) -> str:
        return KEYS

    cache, changes = make_cache(fetch)
    assert cache.want([SOURCE]) == {}
    await changes.get()
    assert cache.want([SOURCE]) == {SOURCE: KEYS}
    assert cache.want([]) == {}
    assert cache.want([SOURCE]) == {}


async def test_a_failed_fetch_is_tried_again(make_cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter((JwksError("down"), TimeoutError(), KEYS))

    async def fetch(source: JwksSource) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(jwks_cache, "_RETRY", (0.001, 0.001))
    cache, changes = make_cache(fetch)
    cache.want([SOURCE])
    await changes.get()
    assert cache.want([SOURCE]) == {SOURCE: KEYS}


async def test_keys_that_have_not_changed_are_not_announced_anew(
    make_cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: asyncio.Queue[bool] = asyncio.Queue()

    async def fetch(source: JwksSource) -> str:
        fetched.put_nowait(True)
        return KEYS

    monkeypatch.setattr(jwks_cache, "REFRESH_SECONDS", 0.001)
    cache, changes = make_cache(fetch)
    cache.want([SOURCE])
    for _ in range(3):
        await fetched.get()
    assert changes.qsize() == 1


def test_the_sources_are_those_of_rules_without_keys() -> None:
    inline = {"keys": [{"kty": "oct", "k": "a2V5"}]}
    rules = [
        {"issuer": "a", "jwks": json.dumps(inline)},
        {"issuer": "b", "jwksUri": "http://b/k", "timeout": "2s"},
        {"issuer": "c"},
    ]
    metadata = {"name": "jwt", "namespace": "default"}
    resource = decode(
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "RequestAuthentication",
            "metadata": metadata,
            "spec": {"jwtRules": rules},
        }
    )
    assert list(jwks_sources([resource])) == [JwksSource("http://b/k", "", 2.0), JwksSource("", "c")]
