import pytest

from pymesh.control.api.paging import cut_page
from pymesh.control.api.status import RequestError
from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import decode


def secret(name: str, namespace: str = "shop") -> Resource:
    return decode({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}, namespace)


ALL = [secret("a"), secret("b"), secret("c"), secret("a", "web")]


def test_pages_together_are_the_list_of_the_first_revision() -> None:
    names, token, revision = [], "", 7
    while True:
        page = cut_page(ALL, revision, 2, token)
        names += [(one.namespace, one.name) for one in page.resources]
        assert page.metadata["resourceVersion"] == "7"
        token, revision = page.metadata.get("continue", ""), revision + 1
        if not token:
            break
        assert page.metadata["remainingItemCount"] == 2
    assert names == [("shop", "a"), ("shop", "b"), ("shop", "c"), ("web", "a")]


def test_what_goes_between_two_pages_is_left_out() -> None:
    token = cut_page(ALL, 1, 2, "").metadata["continue"]
    assert [one.name for one in cut_page([ALL[0], ALL[3]], 2, 2, token).resources] == ["a"]


def test_without_a_limit_there_is_one_page() -> None:
    assert cut_page(ALL, 7, 0, "") == (ALL, {"resourceVersion": "7"})


@pytest.mark.parametrize("token", ["x", "e30=", "bnVsbA==", "ÿ"])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(RequestError):
        cut_page(ALL, 1, 1, token)
