"""`status.conditions`: whether a rule is in force, with real proxies."""

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [web]
  http: [{{timeout: 3s, route: [{{destination: {{host: web}}}}]}}]
"""
SOON = 2.0  # seconds after an apply


def status_of(mesh, name: str) -> dict[str, str]:
    """Reason by condition."""
    url = f"{mesh.addresses['listen']}/apis/networking.istio.io/v1/namespaces/default/virtualservices/{name}"
    found = mesh.http_get(url).json
    return {one["type"]: one["reason"] for one in found.get("status", {}).get("conditions", [])}


def test_a_rule_says_within_two_seconds_whether_it_is_in_force_and_what_stands_before_it(mesh) -> None:
    mesh.control()
    app = mesh.http_app("web")
    mesh.proxy("web", app.port)
    mesh.proxy("caller", 0)
    mesh.apply(RULE.format(name="first"))
    in_force = {"Reconciled": "UpToDate", "Effective": "InForce"}
    mesh.wait_until(lambda: status_of(mesh, "first") == in_force, "the rule to be in force", SOON)
    mesh.apply(RULE.format(name="second"))
    shadowed = {"Reconciled": "UpToDate", "Effective": "Shadowed"}
    mesh.wait_until(lambda: status_of(mesh, "second") == shadowed, "the rule to be shadowed", SOON)
    header, first, second = mesh.run("get", "virtualservice").stdout.splitlines()
    assert header.split()[-1] == "STATUS"
    assert (first.split()[-1], second.split()[-1]) == ("InForce", "Shadowed")
    described = mesh.run("describe", "virtualservice", "second").stdout
    assert "sidecars route web.default.svc.cluster.local by VirtualService default/first" in described


def test_a_rule_that_is_deleted_lets_the_next_one_into_force(mesh) -> None:
    mesh.control()
    mesh.proxy("caller", 0)
    for name in ("first", "second"):
        mesh.apply(RULE.format(name=name))
    mesh.wait_until(lambda: status_of(mesh, "second").get("Effective") == "Shadowed", "the rule to be shadowed", SOON)
    mesh.run("delete", "virtualservice", "first")
    mesh.wait_until(lambda: status_of(mesh, "second").get("Effective") == "InForce", "the rule to be in force", SOON)
