import subprocess
import sys

import pytest

from pymesh.cel import METRIC_ATTRIBUTES, Attribute, check_expression, compile_expression, read_attributes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("response.code >=", "Syntax error"),
        ("", "Syntax error"),
        ("response.kode == 200", "no attribute response.kode"),
        ('request["paths"] == "/"', "no attribute request.paths"),
        ("nothing.of.that == 1", "undeclared reference to 'nothing"),
        ("has(request['path'])", "has\\(\\) argument must be a field selection"),
        ("uppercase(request.path) == 'A'", "undeclared reference to 'uppercase'"),
        ("upstream_peer.app == 'a'", "undeclared reference"),  # of metrics only
    ],
)
def test_what_no_proxy_could_evaluate_is_refused_in_one_line(text, message) -> None:
    with pytest.raises(ValueError, match=message) as error:
        check_expression(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "response.code >= 400 && response.code < 500",
        "has(request.headers.x) || 'x-a' in request.headers || connection.mtls",
        '"request.nothing" == request.path',  # text, not an attribute
        "request.headers.request == 'x'",  # a header of that name
        "response.code == 200 ? 'a' : 1",  # of two types, which only matters when it is evaluated
        "'downstream_peer' in filter_state && filter_state.downstream_peer.namespace == 'x'",
    ],
)
def test_what_envoy_takes_is_taken(text) -> None:
    check_expression(text)


def test_metrics_have_the_peers_by_themselves() -> None:
    check_expression("upstream_peer.app + downstream_peer.namespace", METRIC_ATTRIBUTES)
    with pytest.raises(ValueError, match=r"upstream_peer\.pod"):
        check_expression("upstream_peer.pod", METRIC_ATTRIBUTES)


def test_it_is_known_what_an_expression_reads() -> None:
    text = "request.path == 'response.code' && request['host'] == xds . route_name || size(metadata) > 0"
    assert read_attributes(text) == {
        Attribute("request", "path"),
        Attribute("request", "host"),
        Attribute("xds", "route_name"),
        Attribute("metadata"),
    }


@pytest.mark.parametrize(
    ("text", "value"), [("response.code + 1", 201), ("response.size", None), ("response.code + 'a'", None)]
)
def test_a_failed_evaluation_has_no_value(text, value) -> None:
    assert compile_expression(text)({"response": {"code": 200}}) == value


def test_the_engine_is_imported_with_the_first_expression() -> None:
    program = "import sys, pymesh.cel, pymesh.proxy.local_data_plane; sys.exit('cel_expr_python' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 0
