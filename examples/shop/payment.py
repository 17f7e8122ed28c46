"""The shop's payment service: writes a row into PostgreSQL and says which version it is.

    PORT=8001 VERSION=v1 DATABASE_PORT=15432 python payment.py

`/pay` answers at once and `/slow` after five seconds. With BROKEN=1 every payment is answered 503, as by an instance
whose disk is full. Without DATABASE_PORT it keeps no books.
"""

import asyncio
import os

import asyncpg
from aiohttp import web

VERSION = os.environ.get("VERSION", "v1")
BROKEN = os.environ.get("BROKEN") == "1"
SLOW_SECONDS = 5
DATABASE = web.AppKey("database", asyncpg.Pool)


async def pay(request: web.Request) -> web.Response:
    if BROKEN:
        return web.json_response({"version": VERSION, "error": "disk full"}, status=503)
    if DATABASE not in request.app:
        return web.json_response({"version": VERSION})
    payment = await request.app[DATABASE].fetchval("insert into payment (version) values ($1) returning id", VERSION)
    return web.json_response({"version": VERSION, "payment": payment})


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(SLOW_SECONDS)
    return web.json_response({"version": VERSION})


async def database_context(app: web.Application):
    port = int(os.environ["DATABASE_PORT"])
    # The sidecar encrypts what leaves this host; on the way to it a second TLS would only cost.
    async with asyncpg.create_pool(
        host="127.0.0.1", port=port, user="postgres", database="postgres", ssl=False, min_size=1, max_size=4
    ) as pool:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(1)")  # several instances may start at once
            await connection.execute("create table if not exists payment (id bigserial primary key, version text)")
        app[DATABASE] = pool
        yield


def main() -> None:
    app = web.Application()
    if "DATABASE_PORT" in os.environ:
        app.cleanup_ctx.append(database_context)
    app.router.add_get("/pay", pay)
    app.router.add_get("/slow", slow)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)


if __name__ == "__main__":
    main()
