import argparse
import os
from pathlib import Path

import pytest

from pymesh.cli import main
from pymesh.cli.data_plane_flags import (
    address,
    concurrency,
    host,
    label,
    locality,
    name,
    port_mapping,
    read_secret_ttl,
    seconds,
    upstream,
)
from pymesh.xds import Address, Upstream


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:15006", Address("127.0.0.1", 15006)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:80", Address("localhost", 80)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, expected: Address) -> None:
    assert address(text) == expected


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":80", "host:", "host:-1", "host:65536", "host:http"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        address(text)


def test_an_upstream_is_a_local_port_a_service_and_its_port() -> None:
    assert upstream("15432=db.data:5432") == Upstream(15432, "db.data", 5432)


def test_concurrency_is_a_number_of_processes_and_0_one_for_each_core() -> None:
    assert concurrency("3") == 3
    assert concurrency("0") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("text", ["-1", "two", "", "1.5", "100000"])
def test_what_is_no_number_of_processes_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        concurrency(text)


@pytest.mark.parametrize("text", ["15432", "15432=db", "x=db:5432", "15432=:5432"])
def test_what_is_no_upstream_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        upstream(text)


@pytest.mark.parametrize("text", ["eu", "eu/berlin", "eu/berlin/rack-7"])
def test_a_locality_has_up_to_three_parts(text: str) -> None:
    assert locality(text) == text


@pytest.mark.parametrize("text", ["", "/", "eu/", "a/b/c/d", "e u"])
def test_what_is_no_locality_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        locality(text)


def test_a_label_is_a_key_and_a_value() -> None:
    assert label("tier=back.end") == ("tier", "back.end")


def test_a_port_mapping_is_a_gateways_port_and_the_bound_one() -> None:
    assert port_mapping("80=8080") == (80, 8080)
    assert port_mapping("443=0") == (443, 0)


@pytest.mark.parametrize("text", ["80", "80=", "=80", "0=8080", "80=99999"])
def test_what_is_no_port_mapping_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        port_mapping(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("10.0.0.1", "10.0.0.1"), ("::1", "::1"), ("Host-1.example.com.", "host-1.example.com")]
)
def test_a_host_is_a_name_or_an_ip_address(text: str, expected: str) -> None:
    assert host(text) == expected


@pytest.mark.parametrize("text", ["", "a b", "a..b", "-a", "a:80", "http://a"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        host(text)


@pytest.mark.parametrize("text", ["", "..", "a/b", "Upper", "-a", "a" * 64])
def test_a_name_can_never_leave_the_state_dir(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        name(text)


@pytest.mark.parametrize("text", ["-1", "nan", "soon", "1e9"])
def test_a_time_is_a_sane_number_of_seconds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        seconds(text)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--app-port", "80"], "--service"),
        (["--service", "web"], "--app-port"),
        (["--service", "web", "--app-port", "eighty"], "'eighty' is not a port"),
        (["--service", "Web", "--app-port", "80"], "'Web' is not a name"),
        (["--service", "web", "--app-port", "80", "--token-file", "/no/such/file"], "/no/such/file: No such file"),
        (["--service", "web", "--app-port", "80", "--control", "http://x"], "must begin with https://"),
        (["--service", "web", "--app-port", "80", "--access-log", "/no/such/dir/log"], "/no/such/dir/log"),
        (["--service", "web", "--app-port", "80", "--concurrency", "two"], "'two' is not a number of processes"),
        (
            ["--service", "web", "--app-port", "80", "--concurrency", "2", "--access-log", "/no/such/dir"],
            "/no/such/dir",
        ),
        (["--service", "web", "--app-port", "80", "--token", "abc"], "the join token is not one"),
        (["--service", "web", "--app-port", "80", "--advertise", "a b"], "'a b' is neither a host name"),
        (["--service", "web", "--app-port", "80", "--frobnicate"], "--frobnicate"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flags: list[str], words: str
) -> None:
    ports = ["--inbound-listen", "127.0.0.1:0", "--outbound-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    assert main(["proxy", *flags, *ports, "--state-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_certificates_lifetime_is_a_duration_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_TTL", raising=False)
    assert read_secret_ttl() == 0
    monkeypatch.setenv("SECRET_TTL", "1h30m")
    assert read_secret_ttl() == 5400


@pytest.mark.parametrize(
    ("text", "words"), [("soon", "'soon' is not a duration"), ("0s", "0s is not within"), ("9000h", "and 2160h")]
)
def test_a_wrong_lifetime_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, words: str
) -> None:
    monkeypatch.setenv("SECRET_TTL", text)
    assert main(["proxy", "--service", "web", "--app-port", "80", "--state-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("pymesh proxy: SECRET_TTL: ")
    assert words in error
    assert error.count("\n") == 1


def test_run_needs_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--service", "web", "--app-port", "80"]) == 2
    assert "-- CMD" in capsys.readouterr().err
