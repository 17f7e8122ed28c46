import logging

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from pymesh.logs import configure_logging


@pytest.fixture(autouse=True)
def logging_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("aiohttp.server").filters.clear()


def test_an_event_is_one_line_with_level_and_scope(capsys):
    configure_logging()
    logging.getLogger("pymesh.proxy.probe").info("application on port %d answers", 80)
    assert capsys.readouterr().err.partition("\t")[2] == "info\tproxy.probe\tapplication on port 80 answers\n"


@pytest.mark.parametrize(("error", "is_logged"), [(BadHttpMessage("not HTTP"), False), (KeyError("a bug"), True)])
def test_a_bug_of_a_handler_is_logged_and_a_peers_fault_is_not(capsys, error, is_logged):
    configure_logging()
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    assert ("Error handling request" in capsys.readouterr().err) is is_logged
