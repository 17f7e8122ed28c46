from pymesh.control.model.resource import Key
from pymesh.control.status.rejections import rejections_of
from pymesh.control.xds.content import VersionedResource
from pymesh.control.xds.status import ProxyStatus, TypeStatus
from pymesh.xds import CLUSTER, ROUTE

WEB = Key("VirtualService", "default", "web")
OTHER = Key("VirtualService", "default", "other")


def of(kind, name):
    return {"filter_metadata": {"istio": {"config": f"/apis/networking.istio.io/v1/namespaces/default/{kind}/{name}"}}}


ROUTES = {
    "name": "80",
    "virtual_hosts": [
        {"routes": [{"metadata": of("virtual-service", "other")}]},
        {"routes": [{"metadata": of("virtual-service", "web")}]},
    ],
}


def rejections(short_name, reason, content):
    status = ProxyStatus("web.default", "node", "delta", 1, {short_name: TypeStatus("REJECTED", reason)})
    return list(rejections_of(status, content))


def test_the_object_is_the_one_of_the_part_that_was_refused() -> None:
    content = {ROUTE: {"80": VersionedResource("1", ROUTES)}}
    reason = "80: virtual_hosts[1].routes[0].route.timeout: must be a duration"
    assert rejections("RDS", reason, content) == [(WEB, f"web.default rejected {reason}")]


def test_a_complaint_about_the_whole_concerns_all_objects_in_it() -> None:
    content = {ROUTE: {"80": VersionedResource("1", ROUTES)}}
    assert {key for key, _ in rejections("RDS", "80: virtual_hosts: domains occur twice", content)} == {WEB, OTHER}


def test_a_cluster_is_its_destination_rules() -> None:
    cluster = {"name": "outbound|80||web", "metadata": of("destination-rule", "web")}
    content = {CLUSTER: {"outbound|80||web": VersionedResource("1", cluster)}}
    found = rejections("CDS", "outbound|80||web: lb_policy: unknown", content)
    assert [key for key, _ in found] == [Key("DestinationRule", "default", "web")]


def test_what_was_made_of_no_object_concerns_none() -> None:
    content = {CLUSTER: {"x": VersionedResource("1", {"name": "x", "metadata": "odd"})}}
    assert rejections("CDS", "x: type: unknown", content) == []
    assert rejections("CDS", "gone: type: unknown", content) == []
