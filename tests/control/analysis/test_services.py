from tests.control.analysis.conftest import Analyze

_WEB = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {metadata: {labels: {app: web}}}}
"""


def _service(name: str, ports: str, labels: str = "{}") -> str:
    return f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {labels}}}
spec:
  selector: {{app: web}}
  ports:
{ports}
"""


def test_a_port_whose_name_says_no_protocol(analyzed: Analyze) -> None:
    found = analyzed(_service("web", "  - {name: http, port: 80}\n  - {name: admin, port: 81}"))
    assert (found.codes, found.of("IST0118")) == (["IST0118"], ["Service default/web:9"])
    assert analyzed(_service("web", "  - {port: 80}")).codes == ["IST0118"]


def test_a_port_that_says_its_protocol_somehow(analyzed: Analyze) -> None:
    ports = (
        "  - {name: admin, appProtocol: http, port: 80}\n  - {name: tcp-db, port: 81}\n  - {name: mysql, port: 3306}"
    )
    assert analyzed(_service("web", ports)).codes == []


def test_a_service_of_the_registry_has_no_name_that_a_user_could_choose(analyzed: Analyze) -> None:
    assert analyzed(_service("web", "  - {port: 80}", "{pymesh.dev/managed-by: registry}")).codes == []


def test_services_that_lead_to_one_port_of_a_workload_from_different_ones(analyzed: Analyze) -> None:
    ports = "  - {name: http, port: PORT, targetPort: 8080}"
    one, other = _service("a", ports.replace("PORT", "80")), _service("b", ports.replace("PORT", "81"))
    found = analyzed(one, other, _WEB)
    assert (found.codes, found.of("IST0137")) == (["IST0137"], ["Deployment default/web:20"])
    assert "default/a, default/b" in found.texts("IST0137")[0]


def test_services_that_agree_about_the_ports_of_a_workload(analyzed: Analyze) -> None:
    ports = "  - {name: http, port: 80, targetPort: 8080}"
    assert analyzed(_service("a", ports), _service("b", ports), _WEB).codes == []
    assert analyzed(_service("a", ports + "\n  - {name: http-alt, port: 81, targetPort: 8080}"), _WEB).codes == []


def test_services_with_different_transports_at_one_port(analyzed: Analyze) -> None:
    one, other = (_service(name, f"  - {{name: dns, port: 53, protocol: {name.upper()}}}") for name in ("tcp", "udp"))
    assert analyzed(one, other, _WEB).of("IST0116") == ["Deployment default/web:20"]
    assert not analyzed(one, _WEB).of("IST0116")


def test_an_external_name_with_a_tcp_port(analyzed: Analyze) -> None:
    text = """
    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      type: ExternalName
      externalName: db.example
      ports:
      - {name: NAME, port: 5432}
    """
    assert analyzed(text.replace("NAME", "tcp")).of("IST0150") == ["Service default/db:8"]
    assert not analyzed(text.replace("NAME", "http")).of("IST0150")


def test_a_tcp_port_of_a_service_entry_needs_addresses(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: db}
    spec:
      hosts: [db.example]
      resolution: DNS
      ports:
      - {number: 5432, name: tcp, protocol: TCP}
      - {number: 443, name: https, protocol: HTTPS}
    """
    assert analyzed(text).of("IST0134") == ["ServiceEntry default/db:8"]
    assert analyzed(text.replace("hosts:", "addresses: [10.1.1.1]\n      hosts:")).codes == []


def test_service_entries_of_a_host_agree_about_the_protocol_of_a_port(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: NAME, namespace: SPACE}
    spec:
      hosts: [api.example.com]
      exportTo: [SEEN]
      resolution: DNS
      ports:
      - {number: 8443, name: a, protocol: PROTOCOL}
    ---
    """

    def entry(name: str, protocol: str, namespace: str = "default", seen: str = '"*"') -> str:
        words = {"NAME": name, "PROTOCOL": protocol, "SPACE": namespace, "SEEN": seen}
        written = text
        for word, value in words.items():
            written = written.replace(word, value)
        return written

    found = analyzed(entry("one", "HTTP"), entry("two", "HTTPS", "team"))
    assert found.of("IST0177") == ["ServiceEntry default/one:9", "ServiceEntry team/two:19"]
    assert found.texts("IST0177")[0] == (
        "Port 8443 of host api.example.com has protocol HTTP here and another in ServiceEntry team/two: "
        "only one of them holds."
    )
    assert not analyzed(entry("one", "HTTP"), entry("two", "http")).of("IST0177")
    assert not analyzed(entry("one", "HTTP", seen="."), entry("two", "HTTPS", "team", ".")).of("IST0177")
    assert analyzed(entry("one", "HTTP", seen="team"), entry("two", "HTTPS", "team", ".")).of("IST0177")


def test_annotations_of_istio(analyzed: Analyze) -> None:
    text = """
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      annotations:
        networking.istio.io/exportTo: "., other"
        networking.istio.io/exportto: "*"
        sidecar.istio.io/inject: "true"
        example.org/mine: anything
    spec: {ports: [{name: http, port: 80}]}
    """
    found = analyzed(text)
    assert found.of("IST0108") == ["Service default/web:7"]
    assert found.of("IST0107") == ["Service default/web:8"]
    assert found.of("IST0135") == ["Service default/web:8"]
    assert len(found.codes) == 3
    assert analyzed(text.replace('"., other"', '"Not_A_Namespace"')).of("IST0125") == ["Service default/web:6"]


def test_annotations_of_a_deployment_are_not_those_of_its_pods(analyzed: Analyze) -> None:
    text = """
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      annotations:
        proxy.istio.io/config: "{}"
    spec:
      template:
        metadata:
          annotations:
            proxy.istio.io/config: "{}"
    """
    found = analyzed(text)
    assert (found.codes, found.of("IST0107")) == (["IST0107"], ["Deployment default/web:6"])
    pod = text.replace("apps/v1", "v1").replace("Deployment", "Pod")
    assert analyzed(pod).codes == []
