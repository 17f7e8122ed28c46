import pytest

from pymesh.control.xds import session_table
from pymesh.control.xds.session import Peer
from pymesh.control.xds.session_table import OverloadError, SessionTable
from pymesh.xds import CLUSTER, DeltaPoll, DeltaRequest, Node


def begin(table, name, now=0.0):
    node = Node(name)
    return table.of_delta(DeltaPoll(node, (DeltaRequest(CLUSTER),)), Peer(name, None), now)


def test_a_proxy_that_begins_anew_takes_the_place_of_its_idle_session():
    table = SessionTable()
    begin(table, "web")
    second = begin(table, "web")
    assert list(table) == [second]


def test_a_session_with_a_held_poll_keeps_its_place():
    table = SessionTable()
    first = begin(table, "web")
    first.waiting = 1
    second = begin(table, "web")
    assert list(table) == [first, second]


def test_more_proxies_than_the_bound_are_refused_until_idle_ones_are_forgotten(monkeypatch):
    monkeypatch.setattr(session_table, "MOST_SESSIONS", 2)
    table = SessionTable()
    for name in ("web", "db"):
        begin(table, name, now=0.0).last_seen = 0.0
    with pytest.raises(OverloadError):
        begin(table, "payment", now=1.0)
    begin(table, "payment", now=302.0)


def test_an_envoy_has_one_session_for_all_its_subscriptions():
    table = SessionTable()
    first = table.of_rest(Node("envoy"), Peer("envoy", None), 0)
    assert table.of_rest(Node("envoy"), Peer("envoy", None), 1) is first
