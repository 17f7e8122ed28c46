"""The oracle's option."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--show-oracle", action="store_true", help="print what Envoy did in each case")
