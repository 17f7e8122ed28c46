import jwt
import pytest

from pymesh.cli import main
from pymesh.control.ca.authority import open_authority
from pymesh.control.ca.join_token import JoinToken
from pymesh.control.ca.join_token_file import open_token_authority
from pymesh.state_dir import StateDir


@pytest.fixture
def state_dir(tmp_path):
    state_dir = StateDir(tmp_path)
    open_authority(state_dir.ca)
    return state_dir


def token_command(state_dir, *flags):
    return main(["control", "token", "--state-dir", str(state_dir.path), *flags])


def test_token_prints_a_join_token_that_the_control_plane_accepts(state_dir, capsys):
    assert token_command(state_dir, "--namespace", "shop", "--service-account", "payment") == 0
    token = capsys.readouterr().out.strip()
    tokens = open_token_authority(open_authority(state_dir.ca), state_dir.ca)
    assert tokens.verify(token) == JoinToken("shop", "payment")


def test_token_lives_as_long_as_asked_for(state_dir, capsys):
    token_command(state_dir, "--namespace", "shop", "--service-account", "payment", "--ttl", "24h")
    claims = jwt.decode(capsys.readouterr().out.strip(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 86400


def test_token_of_a_mesh_that_was_never_started_is_refused(tmp_path, capsys):
    assert token_command(StateDir(tmp_path / "none"), "--namespace", "a", "--service-account", "b") == 2
    assert "no control plane has run with the state dir" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_name_that_is_none_is_refused(state_dir, capsys):
    assert token_command(state_dir, "--namespace", "a/b", "--service-account", "b") == 2
    assert "'a/b' is not a name" in capsys.readouterr().err


def test_the_state_dir_may_stand_before_the_word_token(state_dir, capsys):
    flags = ["--state-dir", str(state_dir.path), "token", "--namespace", "shop", "--service-account", "payment"]
    assert main(["control", *flags]) == 0


def test_a_bad_listen_address_is_one_line(tmp_path, capsys):
    flags = ["--state-dir", str(tmp_path), "--listen", "0.0.0.0:0", "--tls-listen", "127.0.0.1:0"]
    assert main(["control", *flags, "--monitoring", "127.0.0.1:0"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "pymesh control: --listen 0.0.0.0:0: is plaintext and so only for loopback; others use --tls-listen"
    ]
