import pytest

from pymesh.control.xds.content import Versions
from pymesh.control.xds.rest_subscription import RestSubscription
from pymesh.xds import CLUSTER


def clusters(**types):
    return Versions().of_all({CLUSTER: {n: {"@type": CLUSTER, "name": n, "type": t} for n, t in types.items()}})[
        CLUSTER
    ]


GOOD = clusters(web="EDS", db="EDS")
BAD = clusters(web="BAD", db="EDS")


@pytest.fixture
def subscription():
    return RestSubscription()


def take(subscription, current, accepted="", now=0.0):
    """One poll that gets an answer; its version."""
    subscription.on_request(accepted, "", now)
    return subscription.next_response(current, now).version


def test_an_answer_has_all_resources(subscription):
    subscription.on_request("", "", 0)
    assert [resource["name"] for resource in subscription.next_response(GOOD, 0).resources] == ["web", "db"]


def test_an_answer_has_only_the_names_that_were_asked_for():
    subscription = RestSubscription(frozenset({"db", "unknown"}))
    subscription.on_request("", "", 0)
    assert [resource["name"] for resource in subscription.next_response(GOOD, 0).resources] == ["db"]


def test_a_poll_with_the_current_version_is_held(subscription):
    version = take(subscription, GOOD)
    subscription.on_request(version, "", 1)
    assert subscription.next_response(GOOD, 1) is None


def test_a_version_that_does_not_advance_is_a_rejection_and_is_held(subscription):
    good = take(subscription, GOOD)
    bad = take(subscription, BAD, accepted=good)
    assert subscription.on_request(good, "", 1)
    assert subscription.next_response(BAD, 1) is None
    assert subscription.status(1).status == "REJECTED"
    assert bad in subscription.status(1).reason


def test_the_first_version_can_be_rejected_too(subscription):
    take(subscription, BAD)
    assert subscription.on_request("", "", 1)
    assert subscription.next_response(BAD, 1) is None


def test_what_was_not_taken_is_sent_again_after_a_while(subscription):
    good = take(subscription, GOOD)
    take(subscription, BAD, accepted=good)
    subscription.on_request(good, "", 6)
    assert subscription.next_response(BAD, 6) is not None


def test_a_good_version_after_a_rejected_one_ends_the_rejection(subscription):
    good = take(subscription, GOOD)
    take(subscription, BAD, accepted=good)
    subscription.on_request(good, "", 1)
    assert subscription.next_response(GOOD, 1) is None  # it has that already
    assert subscription.status(1).status == "SYNCED"


def test_an_envoy_that_was_restarted_gets_everything_at_once(subscription):
    good = take(subscription, GOOD)
    subscription.on_request(good, "", 1)
    subscription.next_response(GOOD, 1)
    assert not subscription.on_request("", "", 2)
    assert subscription.next_response(GOOD, 2).version == good


def test_the_reason_is_the_error_detail_where_there_is_one(subscription):
    take(subscription, BAD)
    subscription.on_request("", "type: no such type", 1)
    assert subscription.status(1).reason == "type: no such type"


def test_an_answer_without_a_next_poll_is_stale_after_a_while(subscription):
    take(subscription, GOOD)
    assert subscription.status(4).status == "SYNCED"
    assert subscription.status(6).status == "STALE"
