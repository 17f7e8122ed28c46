"""A CA of our own, as trustme has no SPIFFE URIs, and a loopback pair of TLS endpoints on either kind of transport."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, NamedTuple

import aiofastnet
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pymesh.proxy.tls.certificates import TlsCertificate

PAYMENT = "spiffe://cluster.local/ns/default/sa/payment"


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


class MeshCa:
    """Signs what it is asked to; `root` is PEM."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test root")])
        self._certificate = self._sign(
            self._name, self._key.public_key(), [(x509.BasicConstraints(ca=True, path_length=None), True)], 0, 86400
        )
        self.root = _pem(self._certificate)

    def issue(
        self,
        uri: str = PAYMENT,
        *,
        dns: Sequence[str] = (),
        ips: Sequence[str] = (),
        subject: x509.Name | None = None,
        begins: float = -60,
        life: float = 3600,
    ) -> TlsCertificate:
        """`begins` is seconds from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)] if uri else []
        names += [x509.DNSName(name) for name in dns] + [x509.IPAddress(ip_address(ip)) for ip in ips]
        sans = [(x509.SubjectAlternativeName(names), True)]
        certificate = self._sign(subject or x509.Name([]), key.public_key(), sans, begins, life)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return TlsCertificate(_pem(certificate), pem)

    def sign_csr(self, csr_pem: str, *, begins: float = -60, life: float = 3600, uri: str = "") -> tuple[str, ...]:
        """For the name that the CSR asks for, or another."""
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        asked = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]) if uri else asked
        certificate = self._sign(x509.Name([]), csr.public_key(), [(names, True)], begins, life)  # type: ignore[arg-type]
        return _pem(certificate), self.root

    def _sign(
        self, subject: x509.Name, key: Any, extensions: list[tuple[Any, bool]], begins: float, life: float
    ) -> x509.Certificate:
        start = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=begins)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(seconds=life))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="session")
def ca() -> MeshCa:
    return MeshCa()


@pytest.fixture(scope="session")
def other_ca() -> MeshCa:
    return MeshCa()


class _Peer(asyncio.Protocol):
    def __init__(self) -> None:
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.connected: asyncio.Future[ssl.SSLObject] = asyncio.get_running_loop().create_future()
        self.received = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connected.set_result(transport.get_extra_info("ssl_object"))

    def data_received(self, data: bytes) -> None:
        self.received.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.ended.set_result(exc)


class TlsPair(NamedTuple):
    client: _Peer
    server: _Peer

    async def ssl_objects(self) -> tuple[ssl.SSLObject, ssl.SSLObject]:
        return await self.client.connected, await self.server.connected

    async def talk(self) -> None:
        """A byte in each direction arrives."""
        self.client.transport.write(b"?")
        await asyncio.wait_for(self.server.received.wait(), 5)
        self.server.transport.write(b"!")
        await asyncio.wait_for(self.client.received.wait(), 5)


class TlsLoopback:
    """Makes TLS connections over loopback; `fast` with aiofastnet's transports, else with the running loop's own."""

    def __init__(self, fast: bool) -> None:
        self._fast = fast
        self._servers: list[Any] = []
        self._transports: list[Any] = []

    async def connect(
        self,
        server_context: ssl.SSLContext,
        client_context: ssl.SSLContext,
        sni: str = "0.0.0.0",
        *,
        plain_server: bool = False,
    ) -> TlsPair:
        """Raises what the client sees of a handshake that fails."""
        loop = asyncio.get_running_loop()
        accepted: asyncio.Queue[_Peer] = asyncio.Queue()

        def accept() -> _Peer:
            peer = _Peer()
            accepted.put_nowait(peer)
            return peer

        create_server = (
            partial(aiofastnet.create_server, loop) if self._fast and not plain_server else loop.create_server
        )
        create_connection = partial(aiofastnet.create_connection, loop) if self._fast else loop.create_connection
        server = await create_server(accept, "127.0.0.1", 0, ssl=server_context)
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        transport, client = await create_connection(_Peer, "127.0.0.1", port, ssl=client_context, server_hostname=sni)
        self._transports.append(transport)
        return TlsPair(client, await accepted.get())

    async def aclose(self) -> None:
        for transport in self._transports:
            transport.abort()
        for server in self._servers:
            server.close()
            await server.wait_closed()


@pytest.fixture
def tls_loopback() -> type[TlsLoopback]:
    return TlsLoopback


@pytest.fixture(params=["aiofastnet", "asyncio"])
async def tls_pair(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Awaitable[TlsPair]]]:
    """`TlsLoopback.connect` over each kind of transport."""
    loopback = TlsLoopback(fast=request.param == "aiofastnet")
    yield loopback.connect
    await loopback.aclose()
