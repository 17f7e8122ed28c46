"""Spans on their way to a provider, with a listener's tags."""

import json

import pytest

from pymesh import otlp
from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.exporters import SpanQueue
from pymesh.proxy.telemetry.span_providers import SpanProviders
from pymesh.proxy.telemetry.tracing_config import CustomTag, Receiver, SpanProvider, TracingConfig, decode_tracing

IDS = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "parent_span_id": "1" * 16}
RECEIVER = Receiver("outbound|9411||zipkin", "zipkin", "/api/v2/spans")
ZIPKIN = SpanProvider(RECEIVER, is_zipkin=True)


class Provider:
    """Takes reports."""

    def __init__(self, workload) -> None:
        self.reports = []
        self.queues = []
        self.error = None
        self.own = SpanQueue(self.take)
        self.spans = SpanProviders(workload, "node", self.own, self.deliver, self.queues.append)

    async def take(self, spans):
        """As the control plane does."""
        self.reports.append(spans)

    async def deliver(self, report):
        if self.error is not None:
            raise self.error
        self.reports.append(report)

    async def tell(self, config, *infos, direction=OUTBOUND):
        listener = self.spans.spans_of(config)
        for info in infos:
            listener.on_span(info, direction)
        await self.spans.flush()

    async def zipkin_tags(self, info, *tags, **options):
        await self.tell(TracingConfig(tags, provider=ZIPKIN, **options), info)
        return json.loads(self.reports[-1].body)[0]["tags"]


@pytest.fixture
def provider(web) -> Provider:
    return Provider(web)


async def test_zipkin_gets_its_json(provider, make_info) -> None:
    await provider.tell(TracingConfig(provider=ZIPKIN), make_info(**IDS, operation="pay"))
    (report,) = provider.reports
    assert (report.receiver, report.media_type) == (RECEIVER, "application/json")
    (span,) = json.loads(report.body)
    tags = span.pop("tags")
    assert span == {
        "traceId": IDS["trace_id"],
        "id": IDS["span_id"],
        "parentId": IDS["parent_span_id"],
        "name": "pay",
        "kind": "CLIENT",
        "timestamp": 1_790_000_000_500_000,
        "duration": 7500,
        "localEndpoint": {"serviceName": "web.default", "ipv4": "127.0.0.1", "port": 15001},
        "remoteEndpoint": {"ipv4": "127.0.0.1", "port": 9001},
    }
    assert (tags["istio.canonical_service"], tags["http.status_code"]) == ("web", "200")


async def test_otlp_has_the_resource_and_what_the_environment_says_of_it(provider, make_info, monkeypatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=shop,note=a%20b,nonsense")
    config = TracingConfig(provider=SpanProvider(RECEIVER, reads_environment=True))
    await provider.tell(config, make_info(**IDS), direction=INBOUND)
    (report,) = provider.reports
    (spans,) = otlp.ExportTraceServiceRequest.FromString(report.body).resource_spans
    attributes = {one.key: one.value.string_value for one in spans.resource.attributes}
    assert (attributes["service.name"], attributes["team"], attributes["note"]) == ("web.default", "shop", "a b")
    assert spans.scope_spans[0].spans[0].trace_id.hex() == IDS["trace_id"]


async def test_without_a_provider_the_control_plane_gets_spans_with_the_tags(provider, make_info) -> None:
    await provider.tell(TracingConfig((CustomTag("a", "literal", "b"),)), make_info(**IDS))
    ((span,),) = provider.reports
    assert {one.key: one.value.string_value for one in span.attributes}["a"] == "b"
    assert provider.queues == []


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (CustomTag("t", "literal", "x"), "x"),
        (CustomTag("t", "request_header", "User-Agent", "none"), "u"),
        (CustomTag("t", "request_header", "x-none", "none"), "none"),
        (CustomTag("t", "request_header", "x-none"), None),
        (CustomTag("t", "environment", "PYMESH_TEST_ZONE", "z"), "a"),
        (CustomTag("t", "environment", "PYMESH_TEST_NOTHING", "z"), "z"),
        (CustomTag("t", "value", "%REQ(:METHOD)% %RESPONSE_CODE%"), "GET 200"),
        (CustomTag("t", "metadata", "rbac\0policy\0name", "d"), "p"),
        (CustomTag("t", "metadata", "rbac\0other", "d"), "d"),
        (CustomTag("t", "metadata", "rbac\0policy\0none"), None),
    ],
)
async def test_tags_are_of_the_kind_that_is_told(provider, make_info, monkeypatch, tag, value) -> None:
    monkeypatch.setenv("PYMESH_TEST_ZONE", "a")
    info = make_info(**IDS, dynamic_metadata={"rbac": {"policy": {"name": "p"}}})
    assert (await provider.zipkin_tags(info, tag)).get("t") == value


async def test_a_custom_tag_stands_in_place_of_another_or_removes_it(provider, make_info) -> None:
    tags = await provider.zipkin_tags(
        make_info(**IDS),
        CustomTag("http.method", "literal", "x"),
        CustomTag("istio.mesh_id", "metadata", "istio\0none"),
    )
    assert tags["http.method"] == "x"
    assert "istio.mesh_id" not in tags
    assert tags["istio.namespace"] == "default"


async def test_what_tried_policies_would_have_done_is_told(provider, make_info) -> None:
    verdict = {
        "istio_dry_run_allow_shadow_engine_result": "denied",
        "istio_dry_run_deny_shadow_engine_result": "denied",
        "istio_dry_run_deny_shadow_effective_policy_id": "ns[a]-policy[b]-rule[0]",
    }
    tags = await provider.zipkin_tags(make_info(**IDS, dynamic_metadata={"envoy.filters.http.rbac": verdict}))
    assert {name: value for name, value in tags.items() if "dry_run" in name} == {
        "istio.authorization.dry_run.allow_policy.result": "denied",
        "istio.authorization.dry_run.deny_policy.result": "denied",
        "istio.authorization.dry_run.deny_policy.name": "ns[a]-policy[b]-rule[0]",
    }


async def test_the_path_in_the_url_is_cut(provider, make_info) -> None:
    tags = await provider.zipkin_tags(make_info(**IDS), max_path=4)
    assert tags["http.url"] == "http://payment.shop/pay"


async def test_listeners_of_one_provider_share_its_queue_and_spans_wait_for_it(provider, make_info) -> None:
    provider.error = OSError("away")
    await provider.tell(TracingConfig(provider=ZIPKIN), make_info(**IDS))
    await provider.tell(TracingConfig((CustomTag("a", "literal", "b"),), provider=ZIPKIN), make_info(**IDS))
    assert (provider.reports, len(provider.queues), provider.spans.dropped) == ([], 1, 0)
    provider.error = None
    await provider.spans.flush()
    assert len(json.loads(provider.reports[0].body)) == 2


def decode(**tracing):
    reader = Reader({"tracing": tracing})
    found = decode_tracing(reader)
    reader.reject_unread()
    return found


def test_without_a_word_all_is_as_istio_has_it() -> None:
    assert decode_tracing(Reader({})) == (1.0, TracingConfig())
    assert decode(random_sampling={"value": 5}) == (5.0, TracingConfig())


def provider_of(kind, **config):
    return {"name": "x", "typed_config": {"@type": f"type.googleapis.com/envoy.config.trace.v3.{kind}", **config}}


@pytest.mark.parametrize(
    ("tracing", "path"),
    [
        ({"overall_sampling": {"value": 50}}, "overall_sampling"),
        ({"custom_tags": [{"tag": "a"}]}, r"custom_tags\[0\]\.type"),
        ({"custom_tags": [{"tag": "a", "value": "%NO_SUCH_THING%"}]}, r"custom_tags\[0\]\.value"),
        ({"provider": provider_of("DatadogConfig")}, r"provider\.typed_config\.@type"),
        ({"provider": provider_of("ZipkinConfig")}, r"provider\.typed_config\.shared_span_context"),
        ({"provider": provider_of("OpenTelemetryConfig")}, r"provider\.typed_config\.export"),
        ({"spawn_upstream_span": True}, "spawn_upstream_span"),
    ],
)
def test_what_this_proxy_cannot_trace_is_refused_by_its_path(tracing, path) -> None:
    with pytest.raises(DecodeError, match=rf"^tracing\.{path}"):
        decode(**tracing)
