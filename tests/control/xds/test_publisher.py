import asyncio
import logging

import pytest

from pymesh.control.xds.publisher import ClosedError, Publisher
from pymesh.control.xds.rest_subscription import RestPoll
from pymesh.control.xds.session import Peer
from pymesh.control.xds.session_table import UnknownNonceError
from pymesh.spiffe import SpiffeId
from pymesh.xds import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    SECRET,
    TYPES,
    DeltaAnswer,
    DeltaPoll,
    Node,
    ProxySettings,
)

NOTHING = {type_url: [] for type_url in TYPES}


async def test_first_poll_brings_everything(publisher, proxy, web):
    publisher.publish(web, 1)
    assert await proxy.poll() == {**NOTHING, CLUSTER: ["web"]}


async def test_a_poll_waits_for_the_first_snapshot(publisher, proxy, web, held):
    poll = await held(proxy.poll(30))
    publisher.publish(web, 1)
    assert (await poll)[CLUSTER] == ["web"]


async def test_answers_are_in_the_order_in_which_they_must_be_applied(publisher, proxy):
    publisher.publish({t: {"x": 1} for t in (LISTENER, ROUTE, ENDPOINT, CLUSTER)}, 1)
    assert list(await proxy.poll()) == list(TYPES)


async def test_a_held_poll_takes_a_change(publisher, proxy, web, held):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    publisher.publish({CLUSTER: {"web": 2}, ROUTE: {"r": 1}}, 2)
    assert await poll == {CLUSTER: ["web"], ROUTE: ["r"]}


async def test_a_held_poll_takes_what_is_published_anew_at_the_same_revision(publisher, proxy, web, held):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    publisher.publish({CLUSTER: {"web": 2}}, 1)
    assert await poll == {CLUSTER: ["web"]}


async def settled(publisher, proxy, settings):
    """The answer to a poll of a proxy that has all resources, and these settings."""
    poll = DeltaPoll(proxy.node, tuple(proxy.request(t) for t in TYPES), settings)
    return await publisher.poll_delta(poll, proxy.peer, 0, lambda: True)


async def test_settings_are_told_to_a_proxy_that_has_others(metrics, clock, make_proxy):
    told = ProxySettings(termination_drain=5.0)
    publisher = Publisher(lambda snapshot, node: {}, metrics, clock, lambda snapshot: told)
    publisher.publish({}, 1)
    proxy = make_proxy()
    for response in (await settled(publisher, proxy, told)).responses:
        proxy.take(response)
    assert await settled(publisher, proxy, ProxySettings()) == DeltaAnswer((), told)
    assert await settled(publisher, proxy, told) is None
    assert await settled(publisher, proxy, None) is None, "a proxy of an older version knows no settings"


async def test_a_poll_without_a_change_ends_at_its_deadline(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    assert await proxy.poll(0) is None


async def test_an_identical_publish_wakes_nobody(publisher, proxy, web, held, metrics):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    publisher.publish({CLUSTER: {"web": 1}}, 2)
    assert await publisher.wait_converged(2, 1)
    assert not poll.done()
    poll.cancel()


async def test_removed_resources_are_named(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    publisher.publish({}, 2)
    assert await proxy.poll() == {CLUSTER: ["-web"]}


async def test_a_proxy_with_nonces_of_another_control_plane_is_told(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    proxy.nonces = dict.fromkeys(TYPES, "feed-1")
    with pytest.raises(UnknownNonceError):
        await proxy.poll()


async def test_a_proxy_that_begins_anew_gets_only_what_it_does_not_hold(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    proxy.forget()
    assert await proxy.poll() == NOTHING
    assert len(publisher.statuses()) == 1


async def test_two_proxies_with_one_node_id_do_not_disturb_each_other(publisher, make_proxy, web, held):
    publisher.publish(web, 1)
    first, second = make_proxy(), make_proxy()
    await first.poll()
    waiting = await held(first.poll(30))
    assert (await second.poll())[CLUSTER] == ["web"]
    publisher.publish({CLUSTER: {"web": 2}}, 2)
    assert await waiting == {CLUSTER: ["web"]}
    assert await second.poll() == {CLUSTER: ["web"]}
    assert await first.poll() is None


async def test_a_bug_that_one_proxy_meets_costs_it_nothing_that_it_has(publisher, proxy, web, caplog, metrics):
    publisher.publish(web, 1)
    await proxy.poll()
    with caplog.at_level(logging.ERROR):
        publisher.publish(RuntimeError("a bug"), 2)
        assert await proxy.poll() is None
    assert "a bug" in caplog.text
    assert "pymesh_control_build_failures_total 1.0" in metrics.exposition()
    publisher.publish({CLUSTER: {"web": 2}}, 3)
    assert await proxy.poll() == {CLUSTER: ["web"]}


async def test_a_proxy_that_returns_to_a_bug_is_not_told_to_drop_what_it_holds(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    proxy.forget()
    publisher.publish(RuntimeError("a bug"), 2)
    assert await proxy.poll() is None


async def test_secrets_go_to_a_gateway_that_has_proven_who_it_is(publisher, make_proxy):
    publisher.publish({SECRET: {"kubernetes://cert": "key"}}, 1)
    gateway = "router~127.0.0.1~ingress-a.istio-system~x"
    proven = make_proxy(gateway, identity=SpiffeId("istio-system", "ingress"))
    assert (await proven.poll())[SECRET] == ["kubernetes://cert"]
    assert (await make_proxy(gateway).poll())[SECRET] == []
    assert (await make_proxy(identity=SpiffeId("default", "web")).poll())[SECRET] == []


async def test_a_session_is_not_continued_by_another_identity(publisher, make_proxy, web):
    publisher.publish(web, 1)
    owner, thief = make_proxy(identity=SpiffeId("default", "web")), make_proxy(identity=SpiffeId("default", "evil"))
    await owner.poll()
    thief.nonces = owner.nonces
    with pytest.raises(UnknownNonceError):
        await thief.poll()


async def test_it_converges_when_every_connected_proxy_has_answered(publisher, proxy, web, held):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    converged = asyncio.create_task(publisher.wait_converged(2, 30))
    publisher.publish({}, 2)
    await poll
    await asyncio.sleep(0)
    assert not converged.done()  # sent, but not acknowledged
    poll = await held(proxy.poll(30))
    assert await converged
    poll.cancel()


async def test_it_does_not_converge_before_the_revision_is_published(publisher):
    publisher.publish({}, 1)
    assert not await publisher.wait_converged(2, 0)


async def test_a_proxy_that_hangs_up_is_not_waited_for(publisher, proxy, web, held, clock):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    converged = asyncio.create_task(publisher.wait_converged(2, 30))
    await asyncio.sleep(0)
    next(iter(publisher._sessions)).is_open = lambda: False
    poll.cancel()
    publisher.publish({}, 2)
    assert await converged


async def test_the_leaving_proxy_is_not_waited_for(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    publisher.publish({}, 2)
    assert not await publisher.wait_converged(2, 0)
    assert await publisher.wait_converged(2, 0, leaving="web-v1-a.default")


async def test_status_tells_of_a_rejection_with_its_reason(publisher, proxy, web, held, metrics):
    publisher.publish(web, 1)
    await proxy.poll()
    proxy.reject(CLUSTER, "web: type: is bad")
    poll = await held(proxy.poll(30))
    [status] = publisher.statuses()
    assert (status.proxy, status.types["CDS"].status) == ("web-v1-a.default", "REJECTED")
    assert status.types["CDS"].reason == "web: type: is bad"
    assert status.types["LDS"].status == "SYNCED"
    assert "pilot_xds_cds_reject_total 1.0" in metrics.exposition()
    poll.cancel()


async def test_status_tells_of_a_proxy_that_does_not_poll(publisher, proxy, web, clock):
    publisher.publish(web, 1)
    await proxy.poll()
    assert await proxy.poll(0) is None
    clock.now += 12
    [status] = publisher.statuses()
    assert status.types["CDS"].status == "STALE"
    assert status.types["CDS"].reason == "not connected for 12 s"


async def test_a_proxy_is_forgotten_some_time_after_its_last_poll(publisher, proxy, web, clock):
    publisher.publish(web, 1)
    await proxy.poll()
    clock.now += 301
    assert publisher.statuses() == []
    with pytest.raises(UnknownNonceError):
        await proxy.poll()


async def test_a_proxy_that_has_left_is_forgotten_when_it_hangs_up(publisher, proxy, web, held):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    await publisher.wait_converged(1, 0, leaving="web-v1-a.default")
    assert [status.proxy for status in publisher.statuses()] == ["web-v1-a.default"]
    next(iter(publisher._sessions)).is_open = lambda: False
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    assert publisher.statuses() == []


async def test_closing_ends_the_polls(publisher, proxy, web, held):
    publisher.publish(web, 1)
    await proxy.poll()
    poll = await held(proxy.poll(30))
    publisher.close()
    with pytest.raises(ClosedError):
        await poll
    with pytest.raises(ClosedError):
        await proxy.poll()


async def test_an_envoy_gets_one_type_a_poll(publisher, web):
    publisher.publish(web, 1)
    node, peer = Node("envoy-1"), Peer("envoy-1", None)
    response = await publisher.poll_rest(RestPoll(node, type_url=CLUSTER), peer, 0)
    assert [resource["name"] for resource in response.resources] == ["web"]
    assert await publisher.poll_rest(RestPoll(node, response.version, type_url=CLUSTER), peer, 0) is None
    [status] = publisher.statuses()
    assert (status.protocol, status.types["CDS"].status, status.version) == ("rest", "SYNCED", 1)


async def test_an_envoys_rejection_is_seen_and_held(publisher, web, metrics):
    publisher.publish(web, 1)
    node, peer = Node("envoy-1"), Peer("envoy-1", None)
    await publisher.poll_rest(RestPoll(node, type_url=CLUSTER), peer, 0)
    assert await publisher.poll_rest(RestPoll(node, type_url=CLUSTER), peer, 0) is None
    assert publisher.statuses()[0].types["CDS"].status == "REJECTED"
    assert "pilot_xds_cds_reject_total 1.0" in metrics.exposition()


async def test_content_is_found_by_the_proxys_name_or_node_id(publisher, proxy, web):
    publisher.publish(web, 1)
    await proxy.poll()
    assert list(publisher.content_of("web-v1-a.default")[CLUSTER]) == ["web"]
    assert publisher.content_of(proxy.node.id) is not None
    assert publisher.content_of("nobody") is None
