"""Sidecars that register under a WorkloadGroup: its labels choose them, its changes reach them."""

import signal

GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: payment-new}
spec:
  metadata: {labels: {team: money}, annotations: {made-by: group}}
  template: {serviceAccount: default, weight: 3, labels: {track: TRACK}, locality: eu/a}
"""
SUBSET = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  subsets: [{name: new, labels: {track: canary, team: money}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment]
  http: [{route: [{destination: {host: payment, subset: new}}]}]
"""
UNDER_THE_GROUP = ("--workload-group", "payment-new")


def test_the_label_of_a_group_routes_to_its_workloads_while_they_live(mesh) -> None:
    mesh.control()
    first, second, old = (mesh.http_app(name) for name in ("first", "second", "old"))
    early = mesh.proxy("payment", first.port, *UNDER_THE_GROUP, ready=False)
    early.wait_line("refused payment-new-.*cannot find WorkloadGroup default/payment-new")
    mesh.apply(GROUP.replace("TRACK", "canary") + "---" + SUBSET)
    early.wait_line("registered payment-new-")
    mesh.proxy("payment", second.port, *UNDER_THE_GROUP)
    mesh.proxy("payment", old.port)
    web = mesh.proxy("web", 0)

    def answering() -> set[str]:
        answers = [web.get("http://payment/") for _ in range(8)]
        return {answer.json["app"] if answer.status == 200 else str(answer.status) for answer in answers}

    mesh.wait_until(lambda: answering() == {"first", "second"}, "both workloads of the group")
    assert mesh.run("get", "workloadentries").stdout.count("payment-new-") == 2
    assert early.output.count("cannot find WorkloadGroup") == 1
    written = mesh.run("get", "workloadentries", "-o", "yaml").stdout
    assert (written.count("made-by: group"), written.count("locality: eu/a"), written.count("weight: 3")) == (2, 2, 2)

    early.stop(signal.SIGKILL)
    mesh.wait_until(
        lambda: mesh.run("get", "workloadentries").stdout.count("payment-new-") == 1, "the end of its lease"
    )
    mesh.wait_until(lambda: answering() == {"second"}, "the workload that is left")

    mesh.apply(GROUP.replace("TRACK", "stable"))
    mesh.wait_until(lambda: answering() == {"503"}, "the group's change to reach its workload")


def test_a_workload_of_another_service_account_is_refused_by_the_group(mesh) -> None:
    mesh.control()
    mesh.apply(GROUP.replace("TRACK", "canary"))
    app = mesh.http_app("payment")
    flags = (*UNDER_THE_GROUP, "--service-account", "thief")
    thief = mesh.proxy("payment", app.port, *flags, ready=False)
    thief.wait_line("default/payment-new is for service account default, not thief")


PROBE = "  probe: {periodSeconds: 1, failureThreshold: 1, httpGet: {port: PORT, path: /status/STATUS}}\n"


COMMAND = "  probe: {periodSeconds: 1, failureThreshold: 1, exec: {command: [test, -e, FILE]}}\n"


def test_the_probe_of_a_group_says_when_its_workloads_are_healthy(mesh, tmp_path) -> None:
    mesh.control()
    app = mesh.http_app("payment")
    group = GROUP.replace("TRACK", "canary") + PROBE.replace("PORT", str(app.port))
    mesh.apply(group.replace("STATUS", "200"))
    mesh.proxy("payment", app.port, *UNDER_THE_GROUP)
    web = mesh.proxy("web", 0)
    mesh.wait_until(lambda: web.get("http://payment/").status == 200, "the workload")
    mesh.apply(group.replace("STATUS", "500"))
    mesh.wait_until(lambda: web.get("http://payment/").status == 503, "the failing probe to take it out")
    mesh.apply(group.replace("STATUS", "202"))
    mesh.wait_until(lambda: web.get("http://payment/").status == 200, "the workload, which is ready again")
    mesh.apply(GROUP.replace("TRACK", "canary") + COMMAND.replace("FILE", str(tmp_path / "ready")))
    mesh.wait_until(lambda: web.get("http://payment/").status == 503, "the failing command to take it out")
    (tmp_path / "ready").touch()
    mesh.wait_until(lambda: web.get("http://payment/").status == 200, "the workload, for which the command succeeds")
