"""Who serves, and what a client gets when nobody may: circuit breakers, outlier detection, subsets."""

from typing import Any

from oracle.script import (
    CLOSE,
    INBOUND,
    NOTHING,
    Setup,
    Step,
    answered,
    case,
    get,
    requested,
    respond,
    response,
    send,
    serve,
)

OK = response()
BUSY, BROKEN = response(503, body=""), response(500, body="")
RETRIED = {"retry_policy": {"retry_on": "5xx", "num_retries": 1}}


def breakers(priority: str = "DEFAULT", **limits: Any) -> dict[str, Any]:
    return {"circuit_breakers": {"thresholds": [{"priority": priority, **limits}]}}


def detecting(panic: int = 0, **fields: Any) -> dict[str, Any]:
    """After one failure, for as long as the case lasts."""
    found = {"consecutive_5xx": 1, "max_ejection_percent": 100, "interval": "3600s", **fields}
    return {"outlier_detection": found, "common_lb_config": {"healthy_panic_threshold": {"value": panic}}}


def subsets(**fields: Any) -> dict[str, Any]:
    """Inbound only: the cluster of hosts that nobody declared cannot have any."""
    return {"lb_subset_config": {"subset_selectors": [{"keys": ["version"]}], **fields}}


def asking(**metadata: Any) -> dict[str, Any]:
    return {"metadata_match": {"filter_metadata": {"envoy.lb": metadata}}}


def busy_with_one(*steps: Step | bytes) -> tuple[Step | bytes, ...]:
    """A request is at the server and gets its answer only after `steps`."""
    return (send(get("/first"), 1), requested(), *steps, respond(200, body="first"), answered(1, 1))


CASES = (
    *(
        case(f"no {resource} are allowed", get("/"), setup=Setup(cluster=breakers(**{f"max_{resource}": 0})))
        for resource in ("requests", "pending_requests", "connections")
    ),
    case(
        "one request more than the cluster may have",
        *busy_with_one(send(get("/second"), 2), answered(1, 2)),
        setup=Setup(cluster=breakers(max_requests=1)),
    ),
    case(
        "a request waits for the one connection that the cluster may have",
        *busy_with_one(send(get("/second"), 2)),
        requested(),
        respond(200, body="second"),
        answered(1, 2),
        setup=Setup(cluster=breakers(max_connections=1)),
    ),
    case(
        "one request more than may wait",
        *busy_with_one(send(get("/second"), 2), send(get("/third"), 3), answered(1, 3)),
        requested(),
        respond(200, body="second"),
        answered(1, 2),
        setup=Setup(cluster=breakers(max_connections=1, max_pending_requests=1)),
    ),
    case(
        "a request waits for the one connection that an endpoint may have",
        *busy_with_one(send(get("/second"), 2)),
        requested(),
        respond(200, body="second"),
        answered(1, 2),
        setup=Setup(cluster={"circuit_breakers": {"per_host_thresholds": [{"max_connections": 1}]}}),
    ),
    case(
        "a route of high priority does not mind the limits of others",
        get("/"),
        setup=Setup(route={"priority": "HIGH"}, cluster=breakers(max_requests=0, max_pending_requests=0)),
    ),
    case(
        "a route of high priority has limits of its own",
        get("/"),
        setup=Setup(route={"priority": "HIGH"}, cluster=breakers("HIGH", max_requests=0)),
    ),
    case(
        "of two thresholds of one priority the first counts",
        get("/"),
        setup=Setup(cluster={"circuit_breakers": {"thresholds": [{"max_requests": 0}, {"max_requests": 9}]}}),
    ),
    case(
        "a retry budget of nothing",
        serve(BUSY, OK),
        get("/"),
        setup=Setup(
            route=RETRIED,
            cluster=breakers(retry_budget={"budget_percent": {"value": 0}, "min_retry_concurrency": 0}),
        ),
    ),
    case(
        "a retry budget of one",
        serve(BUSY, OK),
        get("/"),
        setup=Setup(
            route=RETRIED,
            cluster=breakers(max_retries=0, retry_budget={"budget_percent": {"value": 0}, "min_retry_concurrency": 1}),
        ),
    ),
    *(
        case(
            f"an endpoint that {what} is ejected",
            serve(answer, OK),
            get("/"),
            answered(),
            get("/"),
            answered(),
            setup=Setup(cluster=detecting()),
        )
        for what, answer in (("answers 500", BROKEN), ("answers 503", BUSY), ("closes", CLOSE))
    ),
    case(
        "an endpoint that refuses connections is ejected",
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting(), refusing=("shop-1",)),
    ),
    case(
        "an endpoint that is too slow is ejected",
        serve(NOTHING, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting(), route={"timeout": "0.2s"}),
    ),
    case(
        "in panic an ejected endpoint serves",
        serve(BROKEN, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting(panic=50)),
    ),
    case(
        "in panic traffic fails where the cluster wants it",
        serve(BROKEN, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(
            cluster={
                "outlier_detection": {"consecutive_5xx": 1, "max_ejection_percent": 100, "interval": "3600s"},
                "common_lb_config": {"zone_aware_lb_config": {"fail_traffic_on_panic": True}},
            }
        ),
    ),
    case(
        "the only endpoint is not ejected at ten percent",
        serve(BROKEN, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting(max_ejection_percent=10)),
    ),
    case(
        "the only endpoint is ejected at ten percent where one always may be",
        serve(BROKEN, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting(max_ejection_percent=10, always_eject_one_host=True)),
    ),
    case(
        "a 404 ejects nobody",
        serve(response(404, body=""), OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting()),
    ),
    case(
        "what is not enforced ejects nobody",
        serve(BROKEN, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(cluster=detecting(enforcing_consecutive_5xx=0)),
    ),
    case(
        "a 500 is no failure of our own end",
        serve(BROKEN, OK),
        get("/"),
        answered(),
        get("/"),
        answered(),
        setup=Setup(
            cluster=detecting(
                split_external_local_origin_errors=True,
                consecutive_5xx=9,
                consecutive_local_origin_failure=1,
            )
        ),
    ),
    case(
        "a retry leaves an endpoint that it has ejected",
        serve(BROKEN, OK),
        get("/"),
        setup=Setup(route=RETRIED, cluster=detecting(), endpoints=2),
    ),
    case(
        "no endpoint has the metadata that a route asks for",
        get("/"),
        setup=Setup(at=INBOUND, route=asking(version="v9"), cluster=subsets()),
    ),
    case(
        "any endpoint serves where the cluster falls back to it",
        get("/"),
        setup=Setup(at=INBOUND, route=asking(version="v9"), cluster=subsets(fallback_policy="ANY_ENDPOINT")),
    ),
    case(
        "a default subset that is empty has nobody",
        get("/"),
        setup=Setup(
            at=INBOUND,
            route=asking(version="v9"),
            cluster=subsets(fallback_policy="DEFAULT_SUBSET", default_subset={"version": "v1"}),
        ),
    ),
    case(
        "in panic mode any endpoint serves for an empty default subset",
        get("/"),
        setup=Setup(
            at=INBOUND,
            route=asking(version="v9"),
            cluster=subsets(fallback_policy="DEFAULT_SUBSET", default_subset={"version": "v1"}, panic_mode_any=True),
        ),
    ),
    case(
        "a cluster without subsets does not mind metadata",
        get("/"),
        setup=Setup(at=INBOUND, route=asking(version="v9")),
    ),
)
