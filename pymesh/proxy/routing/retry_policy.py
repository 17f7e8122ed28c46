"""envoy.config.route.v3.RetryPolicy: what a route allows the router to try again. Times are seconds."""

from dataclasses import dataclass, field
from typing import NamedTuple

from pymesh.protojson import Reader
from pymesh.proxy.matchers.header_matcher import HeaderMatcher, decode_header_matcher

RETRY_ON = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "refused-stream",
        "retriable-4xx",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    )
)
_PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts"
_PREVIOUS_PRIORITIES = (
    "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"
)
SECONDS, UNIX_TIMESTAMP = _RESET_FORMATS = ("SECONDS", "UNIX_TIMESTAMP")


class ResetHeader(NamedTuple):
    """A header by which a rate-limiting server says when to come back: after so many seconds, or at a time."""

    name: bytes
    format: str = SECONDS


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`num_retries` does not count the first try. `avoid_previous_hosts`: endpoints already tried are chosen again only
    after `host_selection_retry_max_attempts` further picks. Back-off is `base_interval` * 2**n with full jitter, but
    what one of `reset_headers` says where that is up to `reset_max_interval`. With `retriable_request_headers`, only
    requests that match one of them are tried again. `avoid_priorities_after`: after so many tries, and again after as
    many, the priorities whose endpoints failed are left out; 0 for never. `has_odd_responses`: also a response below
    400 may be retried.
    """

    retry_on: frozenset[str] = frozenset()
    num_retries: int = 1
    per_try_timeout: float | None = None
    per_try_idle_timeout: float | None = None
    retriable_status_codes: frozenset[int] = frozenset()
    retriable_headers: tuple[HeaderMatcher, ...] = ()
    retriable_request_headers: tuple[HeaderMatcher, ...] = ()
    base_interval: float = 0.025
    max_interval: float = 0.25
    host_selection_retry_max_attempts: int = 1
    avoid_previous_hosts: bool = False
    avoid_priorities_after: int = 0
    reset_headers: tuple[ResetHeader, ...] = ()
    reset_max_interval: float = 300.0
    has_odd_responses: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        has_odd = self.retriable_status_codes or self.retriable_headers or "envoy-ratelimited" in self.retry_on
        object.__setattr__(self, "has_odd_responses", bool(has_odd))


NO_RETRIES = RetryPolicy()


def decode_retry_policy(reader: Reader) -> RetryPolicy:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (RetryPolicy)"""
    base, maximum = _decode_back_off(reader)
    reset_headers, reset_max_interval = _decode_rate_limited_back_off(reader)
    return RetryPolicy(
        retry_on=_decode_retry_on(reader),
        num_retries=_decode_num_retries(reader),
        per_try_timeout=reader.duration("per_try_timeout") or None,
        per_try_idle_timeout=reader.duration("per_try_idle_timeout") or None,
        retriable_status_codes=frozenset(reader.integers("retriable_status_codes")),
        retriable_headers=tuple(map(_decode_response_header, reader.objects("retriable_headers"))),
        retriable_request_headers=tuple(map(decode_header_matcher, reader.objects("retriable_request_headers"))),
        base_interval=base,
        max_interval=maximum,
        host_selection_retry_max_attempts=reader.integer("host_selection_retry_max_attempts", 1),
        avoid_previous_hosts=_decode_host_predicates(reader),
        avoid_priorities_after=_decode_retry_priority(reader.object("retry_priority")),
        reset_headers=reset_headers,
        reset_max_interval=reset_max_interval,
    )


def _decode_retry_on(reader: Reader) -> frozenset[str]:
    """Envoy ignores unknown words here; a silent no-op helps nobody, so they are errors."""
    conditions = [word.strip() for word in reader.string("retry_on").split(",") if word.strip()]
    for condition in conditions:
        if condition not in RETRY_ON:
            reader.fail("retry_on", f"{condition!r} is not a retry condition")
    return frozenset(conditions)


def _decode_num_retries(reader: Reader) -> int:
    retries = reader.integer("num_retries", 1)
    return retries if retries >= 0 else reader.fail("num_retries", "must not be negative")


def _decode_back_off(reader: Reader) -> tuple[float, float]:
    """Envoy: 25 ms, and ten times the base interval where no maximum is given."""
    back_off = reader.object("retry_back_off")
    if back_off is None:
        return RetryPolicy().base_interval, RetryPolicy().max_interval
    base = back_off.duration("base_interval") or back_off.fail("base_interval", "is required")
    maximum = back_off.duration("max_interval")
    if maximum is not None and maximum < base:
        back_off.fail("max_interval", "must not be below base_interval")
    return base, base * 10 if maximum is None else maximum


def _decode_rate_limited_back_off(reader: Reader) -> tuple[tuple[ResetHeader, ...], float]:
    back_off = reader.object("rate_limited_retry_back_off")
    if back_off is None:
        return (), RetryPolicy().reset_max_interval
    headers = tuple(map(_decode_reset_header, back_off.objects("reset_headers")))
    if not headers:
        back_off.fail("reset_headers", "is required")
    return headers, back_off.duration("max_interval") or RetryPolicy().reset_max_interval


def _decode_reset_header(reader: Reader) -> ResetHeader:
    return ResetHeader(reader.required_string("name").lower().encode(), reader.enum("format", _RESET_FORMATS))


def _decode_response_header(reader: Reader) -> HeaderMatcher:
    matcher = decode_header_matcher(reader)
    if matcher.name.startswith(":"):
        reader.fail("name", "must be a header of a response")
    return matcher


def _decode_retry_priority(reader: Reader | None) -> int:
    if reader is None:
        return 0
    reader.ignore("name")
    found = reader.any("typed_config")
    if found is None or found[0] != _PREVIOUS_PRIORITIES:
        reader.fail("typed_config", "this proxy knows only previous_priorities")
    config = found[1]
    config.ignore("@type")
    frequency = config.integer("update_frequency")
    return frequency if frequency > 0 else config.fail("update_frequency", "must be above 0")


def _decode_host_predicates(reader: Reader) -> bool:
    predicates = reader.objects("retry_host_predicate")
    for predicate in predicates:
        if predicate.required_string("name") != _PREVIOUS_HOSTS:
            predicate.fail("name", f"only {_PREVIOUS_HOSTS} is known")
        predicate.map("typed_config")  # PreviousHostsPredicate has no fields
    return bool(predicates)
