"""VirtualServices: where they lead, which gateways they name, which hosts they share."""

import pytest

from tests.control.analysis.conftest import Analyze

_REVIEWS = """---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}]}
"""


def _virtual_service(destination: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {destination}
"""


def test_a_destination_that_is_no_service_is_not_found(analyzed: Analyze) -> None:
    found = analyzed(_virtual_service("{host: reviewz}") + _REVIEWS)
    assert found.of("IST0101") == ["VirtualService default/reviews:8"]
    assert found.texts("IST0101") == ['Referenced host not found: "reviewz"']


def test_a_destination_that_is_a_service_says_nothing(analyzed: Analyze) -> None:
    assert analyzed(_virtual_service("{host: reviews, port: {number: 9080}}") + _REVIEWS).codes == []


def test_a_short_name_is_completed_in_the_namespace_of_the_virtual_service(analyzed: Analyze) -> None:
    shop = _REVIEWS.replace("name: reviews", "name: reviews, namespace: shop")
    assert analyzed(_virtual_service("{host: reviews}") + shop).texts("IST0101") == [
        'Referenced host not found: "reviews"'
    ]
    assert analyzed(_virtual_service("{host: reviews.shop.svc.cluster.local}") + shop).codes == []


def test_a_service_that_is_exported_to_its_own_namespace_only_is_not_found(analyzed: Analyze) -> None:
    private = _REVIEWS.replace(
        "{name: reviews}", "{name: reviews, namespace: shop, annotations: {networking.istio.io/exportTo: .}}"
    )
    assert analyzed(_virtual_service("{host: reviews.shop.svc.cluster.local}") + private).codes == ["IST0101"]


def test_a_service_must_be_seen_where_the_virtual_service_is(analyzed: Analyze) -> None:
    private = _REVIEWS.replace("{name: reviews}", "{name: reviews, annotations: {networking.istio.io/exportTo: .}}")
    rule = _virtual_service("{host: reviews}")
    assert analyzed(rule.replace("hosts:", 'exportTo: ["."]\n  hosts:') + private).codes == []
    assert analyzed(rule.replace("hosts:", "exportTo: [other]\n  hosts:") + private).codes == ["IST0101"]


def test_a_wildcard_service_entry_covers_a_destination(analyzed: Analyze) -> None:
    entry = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wikipedia}
spec: {hosts: ["*.wikipedia.org"], ports: [{number: 443, name: https, protocol: HTTPS}]}
"""
    assert analyzed(_virtual_service("{host: de.wikipedia.org}") + entry).codes == []
    assert analyzed(_virtual_service("{host: example.org}") + entry).codes == ["IST0101"]


def test_a_port_that_the_service_does_not_have_is_not_found(analyzed: Analyze) -> None:
    found = analyzed(_virtual_service("{host: reviews, port: {number: 80}}") + _REVIEWS)
    assert found.texts("IST0101") == ['Referenced host:port not found: "reviews:80"']


def test_a_destination_must_choose_among_several_ports(analyzed: Analyze) -> None:
    two = _REVIEWS.replace("{name: http, port: 9080}", "{name: http, port: 9080}, {name: http-admin, port: 9090}")
    assert analyzed(_virtual_service("{host: reviews}") + two).of("IST0112") == ["VirtualService default/reviews:8"]
    assert analyzed(_virtual_service("{host: reviews, port: {number: 9090}}") + two).codes == []


def test_a_mirror_that_is_no_service_is_not_found(analyzed: Analyze) -> None:
    text = _virtual_service("{host: reviews}") + "    mirror:\n      host: shadow\n" + _REVIEWS
    assert analyzed(text).of("IST0101") == ["VirtualService default/reviews:10"]
    assert analyzed(text).texts("IST0101") == ['Referenced mirror host not found: "shadow"']


def test_a_subset_that_no_destination_rule_has_is_not_found(analyzed: Analyze) -> None:
    found = analyzed(_virtual_service("{host: reviews, subset: v1}") + _REVIEWS)
    assert found.texts("IST0101") == ['Referenced host+subset in destinationrule not found: "reviews+v1"']


def test_a_subset_of_a_destination_rule_is_found_by_any_name_of_the_host(analyzed: Analyze) -> None:
    rule = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: istio-system}
spec: {host: reviews.default.svc.cluster.local, subsets: [{name: v1, labels: {version: v1}}]}
"""
    assert "IST0101" not in analyzed(_virtual_service("{host: reviews, subset: v1}") + _REVIEWS + rule).codes


def test_what_is_missing_because_an_object_is_invalid_is_told_of_once(analyzed: Analyze) -> None:
    broken = _REVIEWS.replace("port: 9080", "port: 99999")
    assert analyzed(_virtual_service("{host: reviews}") + broken).codes == ["IST0106"]


_GATEWAY = """
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [HOST]
"""
_AT_GATEWAY = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  gateways:
  - shop
  http:
  - route: [{destination: {host: reviews}}]
"""


def test_a_gateway_that_is_not_there_is_not_found(analyzed: Analyze) -> None:
    found = analyzed(_AT_GATEWAY + _REVIEWS)
    assert found.of("IST0101") == ["VirtualService default/shop:7"]
    assert found.texts("IST0101") == ['Referenced gateway not found: "shop"']
    assert found.codes == ["IST0101", "IST0132"]


def test_an_invalid_gateway_is_there(analyzed: Analyze) -> None:
    broken = _GATEWAY.replace("HOST", "shop.example").replace("number: 80", "number: 99999")
    assert analyzed(_AT_GATEWAY + _REVIEWS + broken).codes == ["IST0106"]


def test_a_gateway_without_a_host_of_the_virtual_service(analyzed: Analyze) -> None:
    found = analyzed(_AT_GATEWAY + _REVIEWS + _GATEWAY.replace("HOST", "other.example"))
    assert found.of("IST0132") == ["VirtualService default/shop:7"]


def test_a_gateway_with_a_wildcard_has_the_host(analyzed: Analyze) -> None:
    for host in ("shop.example", '"*.example"', '"*"', "default/shop.example", '"*/*"', "./shop.example"):
        assert analyzed(_AT_GATEWAY + _REVIEWS + _GATEWAY.replace("HOST", host)).codes == [], host


def test_a_gateway_whose_host_is_for_another_namespace_does_not_have_it(analyzed: Analyze) -> None:
    assert analyzed(_AT_GATEWAY + _REVIEWS + _GATEWAY.replace("HOST", "other/shop.example")).codes == ["IST0132"]


def _of_mesh(name: str, host: str, export_to: str = "*", gateways: str = "[mesh]") -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {name}
spec:
  hosts: [{host}]
  exportTo: ["{export_to}"]
  gateways: {gateways}
  http: [{{route: [{{destination: {{host: reviews}}}}]}}]
"""


def test_two_virtual_services_of_the_mesh_with_one_host_conflict(analyzed: Analyze) -> None:
    found = analyzed(_of_mesh("a", "reviews") + _of_mesh("b", "reviews.default.svc.cluster.local") + _REVIEWS)
    assert found.of("IST0109") == ["VirtualService default/a:5", "VirtualService default/b:16"]


def test_virtual_services_of_other_gateways_or_that_others_see_do_not_conflict(analyzed: Analyze) -> None:
    one = _of_mesh("a", "reviews", export_to=".") + _REVIEWS
    assert "IST0109" not in analyzed(one + _of_mesh("b", "reviews", gateways="[shop]")).codes
    assert "IST0109" not in analyzed(one + _of_mesh("b", "reviews", export_to="other")).codes


@pytest.mark.parametrize("host", ["api.example.com", "'*.example.com'", "'*'"])
def test_a_virtual_service_that_all_see_conflicts_with_one_that_some_see(analyzed: Analyze, host: str) -> None:
    one = _of_mesh("a", "api.example.com", export_to=".") + _REVIEWS
    found = analyzed(one + _of_mesh("b", host))
    assert found.of("IST0109") == ["VirtualService default/a:5", "VirtualService default/b:21"]
    assert "IST0109" not in analyzed(one + _of_mesh("b", "other.example.com")).codes
    assert "IST0109" not in analyzed(one.replace('"."', '"*"') + _of_mesh("b", "'*.example.com'")).codes


def test_violations_and_warnings_of_validation_are_messages(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {name: reviews}
    spec:
      host: reviews
      trafficPolicy:
        outlierDetection: {consecutiveErrors: 5}
    ---
    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {name: broken}
    spec:
      host: reviews
      trafficPolicy:
        connectionPool: {http: {maxRetries: -1, nonsense: 1}}
    """
    found = analyzed(text, _REVIEWS)
    assert found.of("IST0133") == ["DestinationRule default/reviews:7"]
    assert found.of("IST0106") == ["DestinationRule default/broken:15"] * 2
