import asyncio
import stat
import time

import pytest

from pymesh.errors import ControlUnreachableError
from pymesh.names import OWN_CERTIFICATE, ROOT_CA
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.tls.workload_certificate import CertificateError, WorkloadIdentity

PAYMENT = "spiffe://cluster.local/ns/default/sa/payment"
LIFE = 3600.0


class Signer:
    """Control's CA as the proxy sees it; `failures` calls fail first."""

    def __init__(self, ca, failures: int = 0) -> None:
        self.ca = ca
        self.failures = failures
        self.calls = 0

    async def __call__(self, csr: str) -> tuple[str, ...]:
        self.calls += 1
        if self.calls <= self.failures:
            raise ControlUnreachableError("no answer in time")
        return self.ca.sign_csr(csr, begins=0, life=LIFE)


class Sleeper:
    """Time that passes only in sleep; when `end` seconds have passed it never wakes."""

    def __init__(self, end: float = float("inf")) -> None:
        self.naps: list[float] = []
        self.slept = 0.0
        self.done = asyncio.Event()
        self._start = time.time()
        self._end = end

    def clock(self) -> float:
        return self._start + self.slept

    async def __call__(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.slept += seconds
        if self.slept > self._end:
            self.done.set()
            await asyncio.Event().wait()


def make_identity(tmp_path, sign, secrets=None, **options) -> WorkloadIdentity:
    options = {"random_value": lambda: 0.5} | options
    return WorkloadIdentity(tmp_path, PAYMENT, sign, secrets or SecretStore(), **options)


def secret_key(identity: WorkloadIdentity) -> str:
    return identity.certificate_file.read_text().partition("-----BEGIN CERTIFICATE")[0]


async def run_until(identity: WorkloadIdentity, done: asyncio.Event) -> None:
    task = asyncio.create_task(identity.run())
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()


async def test_a_new_workload_gets_a_certificate_and_publishes_it_with_the_root(ca, tmp_path):
    secrets = SecretStore()
    identity = make_identity(tmp_path, Signer(ca), secrets)
    await identity.renew()
    assert secrets.get(ROOT_CA).validation.trusted_ca == ca.root
    assert "BEGIN CERTIFICATE" in secrets.get(OWN_CERTIFICATE).tls_certificate.certificate_chain
    assert identity.ready.is_set()
    assert identity.not_after == pytest.approx(time.time() + LIFE, abs=10)
    assert identity.describe()["state"] == "valid"


async def test_a_request_that_was_prepared_serves_once(ca, tmp_path):
    sign = Signer(ca)
    identity = make_identity(tmp_path, sign)
    identity.prepare()
    await identity.renew()
    key = secret_key(identity)
    await identity.renew()
    assert secret_key(identity) != key
    assert sign.calls == identity.renewals == 2


async def test_key_and_root_are_files_for_the_owner_only(ca, tmp_path):
    identity = make_identity(tmp_path, Signer(ca))
    await identity.renew()
    assert stat.S_IMODE(identity.certificate_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(identity.root_file.stat().st_mode) == 0o600


async def test_a_restarted_proxy_takes_its_certificate_from_disk_without_control(ca, tmp_path):
    await make_identity(tmp_path, Signer(ca)).renew()
    secrets = SecretStore()
    assert make_identity(tmp_path, Signer(ca, failures=99), secrets).load()
    assert secrets.get(OWN_CERTIFICATE) is not None


async def test_each_renewal_makes_a_new_key(ca, tmp_path):
    secrets = SecretStore()
    identity = make_identity(tmp_path, Signer(ca), secrets)
    await identity.renew()
    first = secrets.get(OWN_CERTIFICATE).tls_certificate
    await identity.renew()
    assert secrets.get(OWN_CERTIFICATE).tls_certificate.private_key != first.private_key
    assert identity.renewals == 2


@pytest.mark.parametrize(("random_value", "share"), [(0.0, 0.49), (0.5, 0.50), (0.999999, 0.51)])
async def test_it_is_renewed_at_half_its_life_give_or_take_one_percent(ca, tmp_path, random_value, share):
    await make_identity(tmp_path, Signer(ca)).renew()
    sleeper, renewed, slept = Sleeper(), asyncio.Event(), []

    async def sign(csr: str) -> tuple[str, ...]:
        slept.append(sleeper.slept)
        renewed.set()
        return await asyncio.Event().wait()

    identity = make_identity(tmp_path, sign, sleep=sleeper, clock=sleeper.clock, random_value=lambda: random_value)
    await run_until(identity, renewed)
    assert slept == [pytest.approx(LIFE * share, abs=10)]
    assert max(sleeper.naps) <= 60, "a suspended machine would oversleep"


async def test_its_life_begins_when_it_comes_though_the_ca_backdates_it(ca, tmp_path):
    sleeper, slept = Sleeper(), []

    async def sign(csr: str) -> tuple[str, ...]:
        slept.append(sleeper.slept)
        if len(slept) == 3:
            sleeper.done.set()
            await asyncio.Event().wait()
        return ca.sign_csr(csr, begins=sleeper.slept - 120, life=120 + 40)

    identity = make_identity(tmp_path, sign, sleep=sleeper, clock=sleeper.clock)
    await run_until(identity, sleeper.done)
    assert slept == [0, pytest.approx(20, abs=3), pytest.approx(40, abs=6)]


async def test_while_control_is_down_it_tries_again_ever_more_rarely(ca, tmp_path):
    sleeper = Sleeper(end=600)
    identity = make_identity(tmp_path, Signer(ca, failures=4), sleep=sleeper, clock=sleeper.clock)
    await run_until(identity, sleeper.done)
    assert sleeper.naps[:4] == [0.25, 0.5, 1.0, 2.0]
    assert identity.failures == 4
    assert identity.ready.is_set()


async def test_a_workload_without_a_certificate_never_waits_long(ca, tmp_path):
    sleeper = Sleeper(end=600)
    identity = make_identity(tmp_path, Signer(ca, failures=10), sleep=sleeper, clock=sleeper.clock)
    await run_until(identity, sleeper.done)
    assert sleeper.naps[4:10] == [2.5] * 6  # half of the most, for want of chance
    assert identity.ready.is_set()


async def test_a_failed_renewal_keeps_the_old_certificate(ca, tmp_path):
    secrets = SecretStore()
    signer = Signer(ca)
    identity = make_identity(tmp_path, signer, secrets)
    await identity.renew()
    before = secrets.get(OWN_CERTIFICATE)
    signer.failures = 99
    with pytest.raises(ControlUnreachableError):
        await identity.renew()
    assert secrets.get(OWN_CERTIFICATE) is before
    assert make_identity(tmp_path, signer).load()


async def test_a_chain_that_does_not_end_at_its_root_is_refused(ca, other_ca, tmp_path):
    async def sign(csr: str) -> tuple[str, ...]:
        return ca.sign_csr(csr)[0], other_ca.root

    with pytest.raises(CertificateError, match="would not serve"):
        await make_identity(tmp_path, sign).renew()
    assert not (tmp_path / "certificate.pem").exists()


async def test_a_certificate_for_another_key_is_refused(ca, tmp_path):
    async def sign(csr: str) -> tuple[str, ...]:
        return ca.issue(PAYMENT).certificate_chain, ca.root

    with pytest.raises(CertificateError):
        await make_identity(tmp_path, sign).renew()


async def test_a_certificate_of_another_identity_on_disk_is_not_used(ca, tmp_path):
    await make_identity(tmp_path, Signer(ca)).renew()
    other = WorkloadIdentity(tmp_path, "spiffe://cluster.local/ns/default/sa/web", Signer(ca), SecretStore())
    assert not other.load()


async def test_the_certificate_tells_in_which_trust_domain_the_workload_is(ca, tmp_path):
    def sign(csr: str) -> tuple[str, ...]:
        return ca.sign_csr(csr, uri=PAYMENT.replace("cluster.local", "example.org"), begins=0, life=LIFE)

    async def answer(csr: str) -> tuple[str, ...]:
        return sign(csr)

    secrets = SecretStore()
    identity = make_identity(tmp_path, answer, secrets)
    await identity.renew()
    own = secrets.get(OWN_CERTIFICATE).tls_certificate
    assert identity.spiffe_id == own.principal == "spiffe://example.org/ns/default/sa/payment"


async def test_an_expired_certificate_on_disk_is_not_used(ca, tmp_path):
    identity = make_identity(tmp_path, Signer(ca))
    await identity.renew()
    expired = ca.issue(PAYMENT, begins=-100, life=50)
    identity.certificate_file.write_text(expired.private_key + expired.certificate_chain)
    assert not make_identity(tmp_path, Signer(ca)).load()


def test_a_directory_without_a_certificate_loads_nothing(ca, tmp_path):
    identity = make_identity(tmp_path, Signer(ca))
    assert not identity.load()
    assert identity.not_after is None
    assert identity.describe()["state"] == "missing"


def test_garbage_on_disk_loads_nothing(ca, tmp_path):
    (tmp_path / "certificate.pem").write_text("garbage")
    (tmp_path / "root.pem").write_text("garbage")
    assert not make_identity(tmp_path, Signer(ca)).load()
