"""pytest plugin: `pytest --pymesh-config DIR` and the fixture `mesh`, which decides calls without a running mesh.

    def test_jason_sees_v2(mesh):
        answer = mesh.simulate("GET http://reviews:9080/", from_="default/productpage", header={"end-user": "jason"})
        assert answer.subset == "v2"
        assert answer.timeout is None

Arguments are the flags of `pymesh simulate`, answers have its fields as attributes.
"""

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("pymesh").addoption(
        "--pymesh-config",
        action="append",
        default=[],
        metavar="DIR",
        help="a file or directory of Istio's YAML for the fixture `mesh`; may be given several times",
    )


@pytest.fixture(scope="session")
def mesh(request: pytest.FixtureRequest) -> Any:
    """The mesh of the files of --pymesh-config: a pymesh.simulation.mesh.SimulatedMesh."""
    from pymesh.errors import PymeshError
    from pymesh.simulation.mesh import SimulatedMesh

    paths = request.config.getoption("--pymesh-config")
    if not paths:
        raise pytest.UsageError("the fixture `mesh` needs --pymesh-config DIR")
    try:
        return SimulatedMesh.load(*paths)
    except PymeshError as error:
        pytest.fail(str(error), pytrace=False)
