"""`pymesh simulate`: flags, files, outputs and exit codes. What it decides is tests/simulation's."""

import json
import subprocess
import sys

import pytest

from pymesh.cli import main

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}]}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{name: all, match: [{headers: {who: {exact: me}}}], route: [{destination: {host: reviews}}]}]
"""
GET = "GET http://reviews:9080/"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "service.yaml").write_text(SERVICE)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rule.yaml").write_text(RULE)
    return tmp_path


@pytest.fixture
def simulate(capsys):
    def run(*arguments):
        code = main(["simulate", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_answer_is_one_json_object(simulate, files):
    code, out, _ = simulate("-f", files, "--request", GET, "--header", "who: me", "-o", "json")
    answer = json.loads(out)
    assert (code, answer["route"], answer["error"]) == (0, "all", None)


def test_several_files_and_directories_make_one_mesh(simulate, files):
    _, out, _ = simulate(
        "-f", files / "service.yaml", "-f", files / "rules", "--request", GET, "--header", "who:me", "-o", "json"
    )
    assert json.loads(out)["route"] == "all"


def test_text_has_the_place_of_the_rule(simulate, files):
    code, out, _ = simulate("-f", files, "--request", GET, "--header", "who: me")
    assert code == 0
    assert f"-> route all of VirtualService default/reviews http[0].match[0] ({files}/rules/rule.yaml:7)" in out


def test_answer_with_an_error_is_an_answer(simulate, files):
    code, out, _ = simulate("-f", files, "--gateway", "default/none", "--request", GET, "-o", "json")
    assert (code, json.loads(out)["error"]) == (0, "no_listener")


def test_requests_come_and_answers_go_by_the_line(simulate, files):
    lines = [{"request": GET, "header": {"who": "me"}}, {"request": GET, "gateway": "a/b"}]
    (files / "requests.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    code, out, _ = simulate("-f", files / "rules", "-f", files / "service.yaml", "--requests", files / "requests.jsonl")
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, [answer["error"] for answer in answers]) == (0, [None, "no_listener"])


def test_invalid_files_are_told_with_every_violation(simulate, files):
    bad = RULE.replace("hosts:", "host:").replace("prefix", "prefx") + "---\n" + RULE.replace("http:", "htp:")
    (files / "bad.yaml").write_text(bad)
    code, out, err = simulate("-f", files, "--request", GET)
    assert (code, out) == (1, "")
    assert "bad.yaml: document 1 (line 6)" in err
    assert "bad.yaml: document 2" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--request", "nothing"], "is not a request such as"),
        (["--request", GET, "--from", "web"], "is not NAMESPACE/NAME"),
        (["--request", GET, "--random", "1.5"], "is not a number from 0"),
        (["--request", GET, "--from", "a/b", "--to", "a/b"], "not allowed with argument"),
        (["--request", GET, "-f", "/no/such/file"], "No such file"),
        (["--requests", "/no/such/file"], "No such file"),
        ([], "one of the arguments --request --requests is required"),
    ],
)
def test_wrong_flags_are_one_line_and_exit_code_2(simulate, files, arguments, message):
    code, out, err = simulate("-f", files, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("line", ["{", "[]", '{"request": "GET x"}', '{"reqest": "GET http://a/"}'])
def test_wrong_line_of_requests_is_told_by_its_number(simulate, files, line):
    (files / "requests.jsonl").write_text(json.dumps({"request": GET}) + "\n" + line + "\n")
    code, _, err = simulate("-f", files, "--requests", files / "requests.jsonl")
    assert code == 2
    assert "requests.jsonl: line 2: " in err


def test_simulation_loads_no_server_and_no_event_loop_of_its_own(files):
    script = (
        "import sys; from pymesh.cli import main; "
        f"main(['simulate', '-f', {str(files)!r}, '--request', {GET!r}, '-o', 'json']); "
        "print([name for name in ('aiohttp', 'uvloop', 'cryptography', 'prometheus_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
