"""What the mesh promises, measured on the running shop. A promise returns what it measured, or raises DemoError."""

import os
import socket
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from pymesh.cli.demo.processes import DemoError, wait_until
from pymesh.cli.demo.shop import Answer, Shop, get_json, get_text

SETTLE_SECONDS = 15.0


class Promise(NamedTuple):
    title: str
    measure: Callable[[Shop], str]


def path_works(shop: Shop) -> str:
    start = time.monotonic()
    answer = shop.get("/pay")
    elapsed = time.monotonic() - start
    expect(answer.status == 200 and "payment" in answer.json, f"GET /pay answered {answer}")
    version, row = answer.json["version"], answer.json["payment"]
    return f"gateway -> web -> payment {version} -> PostgreSQL row {row}, and back in {elapsed * 1000:.1f} ms"


def traffic_is_split(shop: Shop) -> str:
    versions = Counter(answer.json["version"] for answer in succeeded(shop.get_many("/pay", 500)))
    share = versions["v1"] / versions.total() * 100
    expect(abs(share - 80) <= 5, f"v1 served {share:.1f} % of 500 requests, not 80 within 5")
    return f"v1 {share:.1f} %, v2 {100 - share:.1f} % of 500 requests"


def canary_goes_to_v2(shop: Shop) -> str:
    versions = Counter(answer.json["version"] for answer in succeeded(shop.get_many("/pay", 50, x_canary="true")))
    expect(versions == {"v2": 50}, f"served by {dict(versions)}")
    return "50 of 50 requests with x-canary: true were served by v2"


def retry_hides_a_failure(shop: Shop) -> str:
    shop.start_payment("payment-broken", "v1", BROKEN="1")
    admin = f"http://{shop.instances['payment-broken'].ports['admin']}"
    wait_until(lambda: shop.get("/pay") and failures(admin), "the broken instance to be asked")
    before = failures(admin)
    failed = sum(answer.status != 200 for answer in shop.get_many("/pay", 200))
    hidden = failures(admin) - before
    shop.stop_instance("payment-broken")
    expect(failed == 0, f"{failed} of 200 requests failed")
    expect(hidden > 0, "the broken instance was never asked, so nothing was shown")
    return f"0 of 200 failed, while a broken instance answered 503 {hidden} times"


def timeout_answers_504(shop: Shop) -> str:
    start = time.monotonic()
    answer = shop.get("/slow")
    elapsed = time.monotonic() - start
    expect(answer.status == 504 and 0.4 <= elapsed <= 2, f"GET /slow answered {answer.status} after {elapsed:.2f} s")
    return f"a payment that takes 5 s was given up after {elapsed:.2f} s with 504"


def strict_refuses_plaintext(shop: Shop) -> str:
    address = shop.instances["payment-v1"].ports["inbound"]
    expect(plaintext_get(address) == b"", "a plaintext client was served under STRICT")
    shop.delete("strict.yaml")
    wait_until(lambda: b" 200 " in plaintext_get(address), "plaintext to be served under PERMISSIVE", SETTLE_SECONDS)
    shop.apply("strict.yaml")
    wait_until(lambda: plaintext_get(address) == b"", "plaintext to be refused again", SETTLE_SECONDS)
    succeeded(shop.get_many("/pay", 20))
    return "plaintext refused, then served under PERMISSIVE, then refused again; 20 of 20 over mTLS meanwhile"


def lives_without_control(shop: Shop) -> str:
    shop.control.stop()
    succeeded(shop.get_many("/pay", 200))
    shop.restart_sidecar("payment-v2")
    succeeded(shop.get_many("/pay", 200, x_canary="true"))
    shop.start_control()
    return "0 of 200 failed; payment v2's sidecar was killed and came up from its disk; again 0 of 200 failed"


def trace_spans_all_hops(shop: Shop) -> str:
    trace_id = os.urandom(16).hex()
    shop.get("/pay", traceparent=f"00-{trace_id}-{os.urandom(8).hex()}-01")
    hops = {"istio-ingressgateway", "web", "payment"}
    url = f"{shop.addresses.listen}/debug/traces/{trace_id}"
    spans = wait_until(lambda: complete_trace(url, hops), f"spans of {', '.join(sorted(hops))}", SETTLE_SECONDS)
    return f"{len(spans)} spans across {', '.join(dict.fromkeys(span['service'] for span in spans))}"


def metrics_are_counted(shop: Shop) -> str:
    url = f"{shop.addresses.monitoring}/metrics"
    sent = shop.requests
    wait_until(lambda: requests_to_web(url) == sent, f"{sent} requests to be counted at web", SETTLE_SECONDS)
    return f'istio_requests_total{{reporter="destination",destination_workload="web-v1"}} is {sent}, all that were sent'


PROMISES = (
    Promise("the path works", path_works),
    Promise("80/20 split", traffic_is_split),
    Promise("canary header", canary_goes_to_v2),
    Promise("retry hides a failure", retry_hides_a_failure),
    Promise("timeout", timeout_answers_504),
    Promise("STRICT mTLS", strict_refuses_plaintext),
    Promise("control stopped", lives_without_control),
    Promise("one trace, all hops", trace_spans_all_hops),
    Promise("metrics", metrics_are_counted),
)


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)


def succeeded(answers: list[Answer]) -> list[Answer]:
    failed = Counter(answer.status for answer in answers if answer.status != 200)
    expect(not failed, f"{failed.total()} of {len(answers)} requests failed: {dict(failed)}")
    return answers


def plaintext_get(address: str) -> bytes:
    """What a client without a certificate is answered at an inbound listener: nothing, where it is refused."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        try:
            client.sendall(b"GET /pay HTTP/1.1\r\nHost: payment\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:
            return b""


def failures(admin: str) -> int:
    """The requests that this sidecar's application has answered with 503."""
    return int(sum_samples(get_text(admin + "/stats/prometheus"), reporter="destination", response_code="503"))


def requests_to_web(url: str) -> int:
    return int(sum_samples(get_text(url), reporter="destination", destination_workload="web-v1"))


def sum_samples(text: str, **labels: str) -> float:
    return sum(value for found, value in request_samples(text) if labels.items() <= found.items())


def request_samples(text: str) -> Iterator[tuple[dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "istio_requests_total":
                yield sample.labels, sample.value


def complete_trace(url: str, services: set[str]) -> list[dict[str, Any]] | None:
    """The spans of the trace, once there is one of each service."""
    try:
        spans: list[dict[str, Any]] = get_json(url)["spans"]
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:  # no proxy has reported yet
            return None
        raise
    return spans if services <= {span["service"] for span in spans} else None
