"""Sidecars that say where they run: requests stay near, go on where they must, and come back."""

RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 1, interval: 0.2s, baseEjectionTime: 3s, maxEjectionPercent: 100}
"""


def test_requests_stay_in_their_region_and_leave_it_only_while_it_fails(mesh) -> None:
    mesh.control()
    near, far = mesh.http_app("near"), mesh.http_app("far")
    mesh.proxy("payment", near.port, "--locality", "eu/berlin")
    mesh.proxy("payment", far.port, "--version", "v2", "--locality", "us/ohio")
    web = mesh.proxy("web", 0, "--locality", "eu/berlin/rack-1")

    def answering(times: int = 8) -> set[str]:
        return {web.get("http://payment/").json["app"] for _ in range(times)}

    mesh.wait_until(lambda: answering() == {"near", "far"}, "both regions to serve")
    mesh.apply(RULE)
    mesh.wait_until(lambda: answering() == {"near"}, "the near region alone")
    assert web.get("http://payment/status/500").status == 500
    assert answering() == {"far"}
    assert "::health_flags::/failed_outlier_check" in web.clusters()
    mesh.wait_until(lambda: answering() == {"near"}, "the near region, which is back")
