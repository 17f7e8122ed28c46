import pytest

from pymesh.control.xds.content import Versions
from pymesh.control.xds.delta_subscription import DeltaSubscription
from pymesh.xds import CLUSTER, ErrorDetail


def clusters(**types):
    return Versions().of_all({CLUSTER: {n: {"@type": CLUSTER, "name": n, "type": t} for n, t in types.items()}})[
        CLUSTER
    ]


@pytest.fixture
def subscription():
    return DeltaSubscription(CLUSTER)


def names(response):
    return [resource.name for resource in response.resources]


def test_first_answer_has_everything(subscription):
    response = subscription.next_response(clusters(web="EDS", db="EDS"), "n1", 0)
    assert names(response) == ["web", "db"]
    assert response.removed_resources == ()


def test_first_answer_leaves_out_what_the_proxy_holds_and_names_what_is_gone(subscription):
    current = clusters(web="EDS", db="EDS")
    subscription.declare({"web": current["web"].version, "db": "old", "gone": "x"})
    response = subscription.next_response(current, "n1", 0)
    assert names(response) == ["db"]
    assert response.removed_resources == ("gone",)


def test_first_answer_is_given_even_when_it_is_empty(subscription):
    current = clusters(web="EDS")
    subscription.declare({"web": current["web"].version})
    assert names(subscription.next_response(current, "n1", 0)) == []
    subscription.acknowledge("n1", None)
    assert subscription.next_response(current, "n2", 0) is None


def test_later_answers_have_only_what_changed(subscription):
    subscription.next_response(clusters(web="EDS", db="EDS"), "n1", 0)
    subscription.acknowledge("n1", None)
    response = subscription.next_response(clusters(web="STATIC"), "n2", 0)
    assert names(response) == ["web"]
    assert response.removed_resources == ("db",)


def test_an_answer_that_was_lost_is_given_again(subscription):
    subscription.next_response(clusters(web="EDS"), "n1", 0)
    subscription.acknowledge("n1", None)
    subscription.next_response(clusters(web="STATIC"), "n2", 0)
    assert subscription.recognizes("n1")
    subscription.acknowledge("n1", None)
    assert names(subscription.next_response(clusters(web="STATIC"), "n3", 0)) == ["web"]


def test_a_nonce_that_was_never_given_is_not_recognized(subscription):
    subscription.next_response(clusters(web="EDS"), "n1", 0)
    assert subscription.recognizes("n1")
    assert not subscription.recognizes("n0")


def test_what_was_rejected_is_not_sent_again_until_it_changes(subscription):
    bad = clusters(web="BAD", db="EDS")
    subscription.next_response(bad, "n1", 0)
    assert subscription.acknowledge("n1", ErrorDetail("web: type: is bad"))
    assert subscription.next_response(bad, "n2", 0) is None
    assert names(subscription.next_response(clusters(web="EDS", db="EDS"), "n3", 0)) == ["web"]


def test_a_rejection_is_counted_once_however_often_the_poll_repeats_it(subscription):
    subscription.next_response(clusters(web="BAD"), "n1", 0)
    assert subscription.acknowledge("n1", ErrorDetail("web: bad"))
    assert not subscription.acknowledge("n1", ErrorDetail("web: bad"))
    assert subscription.status(0).status == "REJECTED"


def test_a_rejection_stays_while_other_resources_are_accepted(subscription):
    subscription.next_response(clusters(web="BAD", db="EDS"), "n1", 0)
    subscription.acknowledge("n1", ErrorDetail("web: type: is bad"))
    subscription.next_response(clusters(web="BAD", db="STATIC"), "n2", 0)
    subscription.acknowledge("n2", None)
    assert (subscription.status(0).status, subscription.status(0).reason) == ("REJECTED", "web: type: is bad")


def test_a_rejection_ends_when_the_resource_is_replaced_by_a_good_one(subscription):
    subscription.next_response(clusters(web="BAD"), "n1", 0)
    subscription.acknowledge("n1", ErrorDetail("web: type: is bad"))
    subscription.next_response(clusters(web="EDS"), "n2", 0)
    subscription.acknowledge("n2", None)
    assert subscription.status(0).status == "SYNCED"


def test_a_rejection_that_names_nothing_is_of_all_that_was_sent(subscription):
    subscription.next_response(clusters(web="BAD", db="BAD"), "n1", 0)
    subscription.acknowledge("n1", ErrorDetail("no good"))
    subscription.next_response(clusters(web="EDS", db="BAD"), "n2", 0)
    subscription.acknowledge("n2", None)
    assert subscription.status(0).status == "REJECTED"


def test_an_answer_without_acknowledgement_is_stale_after_a_while(subscription):
    subscription.next_response(clusters(web="EDS"), "n1", 100)
    assert subscription.status(104).status == "SYNCED"
    assert subscription.status(106).status == "STALE"
    assert subscription.status(106).reason == "not acknowledged for 6 s"
