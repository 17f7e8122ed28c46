import subprocess
import sys

from pymesh.cli import COMMANDS, main


def test_help_names_every_command(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert all(command.name in shown for command in COMMANDS)


def test_an_unknown_command_exits_with_2_and_no_traceback():
    result = subprocess.run([sys.executable, "-m", "pymesh", "frobnicate"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "frobnicate" in result.stderr
    assert "Traceback" not in result.stderr
