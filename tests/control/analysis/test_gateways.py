from tests.control.analysis.conftest import Analyze


def _gateway(name: str, servers: str, selector: str = "{istio: ingressgateway}") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: {name}
spec:
  selector: {selector}
  servers:
{servers}
"""


_HTTP = '  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example"]}'
_WORKLOAD = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: edge}
spec: {template: {metadata: {labels: {istio: edge}}}}
"""
_SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: edge, namespace: edge}
spec: {selector: {istio: edge}, ports: [{name: http2, port: 80, targetPort: 8080}]}
"""


def test_a_selector_without_a_workload_is_not_found(analyzed: Analyze) -> None:
    found = analyzed(_gateway("a", _HTTP, "{app: edge, istio: edge}"))
    assert found.of("IST0101") == ["Gateway default/a:7"]
    assert found.texts("IST0101") == ['Referenced selector not found: "app=edge,istio=edge"']


def test_the_gateway_of_istios_installation_and_any_workload_are_found(analyzed: Analyze) -> None:
    assert analyzed(_gateway("a", _HTTP)).codes == []
    assert analyzed(_gateway("a", _HTTP, "{istio: edge}"), _WORKLOAD).codes == []


def test_a_port_that_no_service_leads_to(analyzed: Analyze) -> None:
    other = _HTTP.replace("80", "9000")
    found = analyzed(_gateway("a", other, "{istio: edge}"), _WORKLOAD, _SERVICE)
    assert found.of("IST0162") == ["Gateway default/a:9"]
    for port in ("80", "8080"):
        assert analyzed(_gateway("a", _HTTP.replace("80", port), "{istio: edge}"), _WORKLOAD, _SERVICE).codes == []


def test_gateways_with_one_port_and_common_hosts_conflict(analyzed: Analyze) -> None:
    for host in ("*.example", "shop.example", "*"):
        found = analyzed(_gateway("a", _HTTP), _gateway("b", _HTTP.replace("*.example", host)))
        assert found.of("IST0145") == ["Gateway default/a:9", "Gateway default/b:18"], host


def test_gateways_whose_selectors_choose_a_common_workload_conflict(analyzed: Analyze) -> None:
    wider = _gateway("b", _HTTP, "{istio: ingressgateway, app: istio-ingressgateway}")
    assert analyzed(_gateway("a", _HTTP), wider).codes == ["IST0145"] * 2
    crossed = _gateway("b", _HTTP, "{app: istio-ingressgateway}")
    assert analyzed(_gateway("a", _HTTP), crossed).codes == ["IST0145"] * 2


def test_gateways_with_other_ports_hosts_namespaces_or_workloads_do_not_conflict(analyzed: Analyze) -> None:
    one = _gateway("a", _HTTP)
    assert analyzed(one, _gateway("b", _HTTP.replace("80", "81"))).codes == []
    assert analyzed(one, _gateway("b", _HTTP.replace("*.example", "shop.test"))).codes == []
    assert analyzed(one, _gateway("b", _HTTP, "{istio: edge}"), _WORKLOAD).codes == []
    of_namespaces = [_gateway(name, _HTTP.replace("*.", f"{name}/shop.")) for name in ("a", "b")]
    assert analyzed(*of_namespaces).codes == []


def test_a_gateway_that_is_not_implemented_is_looked_at_all_the_same(analyzed: Analyze) -> None:
    servers = _HTTP.replace("hosts", "defaultEndpoint: 127.0.0.1:80, hosts")
    found = analyzed(_gateway("a", servers, "{app: x}"))
    assert found.texts("IST0101") == ['Referenced selector not found: "app=x"']
