import pytest

from pymesh.control.api.negotiation import JSON, TABLE, YAML, Accepted, negotiate
from pymesh.control.api.status import RequestError

AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        ("", Accepted(JSON)),
        ("*/*", Accepted(JSON)),
        ("application/yaml", Accepted(YAML)),
        (AS_TABLE, Accepted(JSON, TABLE)),
        (f"application/json;as=Table;v=v1beta1;g=meta.k8s.io,{AS_TABLE}", Accepted(JSON, TABLE)),
        ("application/vnd.kubernetes.protobuf,application/json", Accepted(JSON)),
        ("application/json;q=0.5,application/yaml;q=0.9", Accepted(YAML)),
        ("application/json;stream=watch", Accepted(JSON)),
    ],
)
def test_the_first_choice_that_is_offered_is_taken(accept: str, accepted: Accepted) -> None:
    assert negotiate(accept, (TABLE,)) == accepted


@pytest.mark.parametrize("accept", [AS_TABLE, "image/png", "application/json;q=0"])
def test_what_is_not_offered_is_not_acceptable(accept: str) -> None:
    with pytest.raises(RequestError) as caught:
        negotiate(accept)
    assert (caught.value.code, caught.value.reason) == (406, "NotAcceptable")


def test_the_answer_says_as_what_it_comes() -> None:
    assert negotiate(AS_TABLE, (TABLE,)).content_type == "application/json;g=meta.k8s.io;v=v1;as=Table"
