import pytest

from pymesh.control.model.jwt_claim import claim_path


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ("@request.auth.claims.sub", ("sub",)),
        ("@request.auth.claims.realm.roles", ("realm", "roles")),
        ("@request.auth.claims[https://example.com/group]", ("https://example.com/group",)),
        ("@request.auth.claims[realm][roles]", ("realm", "roles")),
        ("@Request.Auth.Claims.Sub", ("Sub",)),
        ("@request.auth.claims.[sub]", ("[sub]",)),
        ("@request.auth.claims", ()),
        ("@request.auth.claims.", ()),
        ("@request.auth.claims[]", ()),
        ("@request.auth.claims[sub", ()),
        ("@request.auth.claims-sub", ()),
        ("@request.auth.claimssub", ()),
        ("x-sub", ()),
    ],
)
def test_path_of_a_claim_is_written_with_dots_or_in_brackets(header, path):
    assert claim_path(header) == path
