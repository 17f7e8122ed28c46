import pytest

from pymesh.names import cluster_sni, inbound_cluster, outbound_cluster, parse_cluster, resolve_host
from pymesh.spiffe import SpiffeId, parse_spiffe


def test_cluster_names_are_read_back():
    assert str(parse_cluster("outbound|80|v1|a.b.svc.cluster.local")) == outbound_cluster(
        "a.b.svc.cluster.local", 80, "v1"
    )
    assert str(parse_cluster("inbound|8001||")) == inbound_cluster(8001)


@pytest.mark.parametrize("name", ["BlackHoleCluster", "outbound|x||h", "a|1|b", ""])
def test_other_names_are_no_istio_clusters(name):
    assert parse_cluster(name) is None


def test_sni_is_the_cluster_name_with_dots():
    assert cluster_sni("a.b.svc.cluster.local", 80, "v1") == "outbound_.80_.v1_.a.b.svc.cluster.local"


@pytest.mark.parametrize(
    ("host", "resolved"),
    [("web", "web.shop.svc.cluster.local"), ("web.shop", "web.shop"), ("*", "*"), ("10.0.0.1", "10.0.0.1")],
)
def test_only_short_names_are_completed(host, resolved):
    assert resolve_host(host, "shop") == resolved


def test_a_spiffe_id_is_read_back():
    identity = SpiffeId("shop", "payment")
    assert str(identity) == "spiffe://cluster.local/ns/shop/sa/payment"
    assert parse_spiffe(str(identity)) == identity


@pytest.mark.parametrize("uri", ["", "https://a/ns/b/sa/c", "spiffe://td/ns/a", "spiffe://td/ns/a/sa/b/c"])
def test_what_is_no_workload_identity_is_refused(uri):
    with pytest.raises(ValueError, match="is not spiffe://"):
        parse_spiffe(uri)
