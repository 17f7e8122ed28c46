import asyncio
import ssl
from datetime import timedelta

import pytest

from pymesh.control.ca.server_certificate import ServerCertificate
from pymesh.control.metrics import ControlMetrics


@pytest.fixture
def certificate(authority, tmp_path):
    return ServerCertificate(authority, tmp_path / "ca", ControlMetrics(), ttl=timedelta(seconds=2))


async def serial_of(certificate, authority):
    """The serial number that a client sees which checks the name as proxies do."""

    async def hang_up(_, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=certificate.context)
    context = ssl.create_default_context(cadata=authority.root_pem)
    port = server.sockets[0].getsockname()[1]
    name = "istiod.istio-system.svc"
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    serial = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    server.close()
    return serial


async def test_proxies_can_verify_the_control_planes_name(certificate, authority):
    assert await serial_of(certificate, authority)


async def test_a_renewed_certificate_is_shown_to_new_connections_of_the_same_context(certificate, authority):
    before = await serial_of(certificate, authority)
    certificate.renew()
    assert await serial_of(certificate, authority) != before


async def test_it_is_renewed_while_the_control_plane_runs(certificate):
    before = certificate.not_after
    renewing = asyncio.create_task(certificate.renew_forever())
    async with asyncio.timeout(10):
        while certificate.not_after == before:  # noqa: ASYNC110 (time itself is what is waited for)
            await asyncio.sleep(0.05)
    renewing.cancel()


def test_the_key_file_is_for_the_owner_only(certificate, tmp_path):
    assert (tmp_path / "ca" / "server-key.pem").stat().st_mode & 0o777 == 0o600
