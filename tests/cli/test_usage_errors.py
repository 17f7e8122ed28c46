"""What a user gets wrong at the start of each kind of process: one line and exit code 2, no traceback."""

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pymesh.cli import main

ANY_PORT = "127.0.0.1:0"
SIDECAR = ("--service", "web", "--app-port", "1", "--inbound-listen", ANY_PORT, "--outbound-listen", ANY_PORT)
COMMANDS = {
    "proxy": (*SIDECAR, "--admin-listen", ANY_PORT),
    "gateway": ("--admin-listen", ANY_PORT),
    "control": ("--listen", ANY_PORT, "--tls-listen", ANY_PORT, "--monitoring", ANY_PORT),
}
BAD_ROUTE = b"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [{timeout: soon, route: [{destination: {host: web}}]}]}
"""

Fail = Callable[..., str]


@pytest.fixture
def fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fail:
    """Run a command; the one line that it prints."""

    def run(command: str, *flags: str) -> str:
        assert main([command, *COMMANDS[command], "--state-dir", str(tmp_path / "state"), *flags]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith(f"pymesh {command}: ")
        assert output.err.count("\n") == 1
        return output.err

    return run


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("proxy", "--inbound-listen"),
        ("proxy", "--outbound-listen"),
        ("proxy", "--admin-listen"),
        ("proxy", "--upstream"),
        ("gateway", "--admin-listen"),
        ("control", "--listen"),
        ("control", "--tls-listen"),
        ("control", "--monitoring"),
    ],
)
def test_a_port_that_is_taken_is_named(fail: Fail, command: str, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        error = fail(command, flag, f"{port}=db:5432" if flag == "--upstream" else f"127.0.0.1:{port}")
    assert re.search(
        rf"127\.0\.0\.1:{port}: [Aa]ddress already in use(; {flag} \S+ takes any port that is free)?$", error
    )


@pytest.mark.parametrize(
    ("command", "flag", "content", "reason"),
    [
        ("proxy", "--token-file", None, "Is a directory"),
        ("proxy", "--token-file", b"\xff\xfe", "not text"),
        ("proxy", "--token-file", b"hello", "the join token is not one"),
        ("proxy", "--access-log", None, "Is a directory"),
        ("proxy", "--state-dir", b"", "Not a directory"),
        ("gateway", "--access-log", None, "Is a directory"),
        ("control", "--state-dir", b"", "Not a directory"),
        ("control", "--mesh-config", None, "Is a directory"),
        ("control", "--mesh-config", b"a: [b\nc: d", "line 2"),
        ("control", "--config", b"a: [b\nc: d", "line 2"),
        ("control", "--config", b"\xff\xfe\x00", "incomplete UTF-16 character"),
        ("control", "--config", BAD_ROUTE, "VirtualService default/web: spec.http[0].timeout"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    fail: Fail, tmp_path: Path, command: str, flag: str, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "file"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    error = fail(command, flag, str(file))
    assert reason in error
    assert str(file) in error or flag == "--token-file"
