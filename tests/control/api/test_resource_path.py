import pytest

from pymesh.control.api.resource_path import ResourcePath, parse_resource_path

NETWORKING = ("networking.istio.io", "v1")


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("/api/v1/services", ResourcePath("", "v1", None, "services")),
        ("/api/v1/namespaces", ResourcePath("", "v1", None, "namespaces")),
        ("/api/v1/namespaces/shop", ResourcePath("", "v1", None, "namespaces", "shop")),
        ("/api/v1/namespaces/shop/status", ResourcePath("", "v1", None, "namespaces", "shop", "status")),
        ("/api/v1/namespaces/shop/services/a", ResourcePath("", "v1", "shop", "services", "a")),
        ("/apis/networking.istio.io/v1/gateways", ResourcePath(*NETWORKING, None, "gateways")),
        (
            "/apis/networking.istio.io/v1/namespaces/shop/gateways/a/status",
            ResourcePath(*NETWORKING, "shop", "gateways", "a", "status"),
        ),
    ],
)
def test_a_path_names_a_resource(path: str, parsed: ResourcePath) -> None:
    assert parse_resource_path(path) == parsed
    assert parsed.api_version == path.split("/namespaces")[0].split("/", 2)[2].removesuffix("/services").removesuffix(
        "/gateways"
    )


@pytest.mark.parametrize(
    "path", ["/", "/api/v1", "/apis/a/v1", "/apis/a/v1/b//c", "/v1/services", "/api/v1/namespaces/a/b/c/d/e"]
)
def test_other_paths_name_none(path: str) -> None:
    assert parse_resource_path(path) is None
