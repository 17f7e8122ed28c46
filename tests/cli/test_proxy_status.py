import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pymesh.cli import main

WEB = {
    "proxy": "web-1.default",
    "node": "sidecar~127.0.0.1~web-1.default~x",
    "protocol": "delta",
    "version": 42,
    "types": {name: {"status": "SYNCED"} for name in ("CDS", "LDS", "EDS", "RDS", "SDS")},
}
GATEWAY = {
    "proxy": "gw-1.istio-system",
    "node": "gw",
    "protocol": "rest",
    "version": -1,
    "types": {
        "CDS": {"status": "REJECTED", "reason": "web: type: is bad"},
        "LDS": {"status": "STALE", "reason": "not connected for 7 s"},
        "EDS": {"status": "STALE", "reason": "not connected for 7 s"},
    },
}


@pytest.fixture
def status(capsys):
    """status(proxies, *flags) -> what the command prints about them."""

    def run(proxies, *flags):
        class Control(BaseHTTPRequestHandler):
            def do_GET(self):
                assert self.path == "/debug/syncz"
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(proxies).encode())

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Control)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        code = main(["proxy-status", "--control", f"http://127.0.0.1:{server.server_port}", *flags])
        thread.join()
        server.server_close()
        return code, capsys.readouterr().out

    return run


def test_a_row_a_proxy_and_the_reasons_below(status):
    code, text = status([GATEWAY, WEB])
    assert code == 0
    assert text.splitlines() == [
        "NAME                CDS        LDS      EDS      RDS        SDS        VERSION",
        "gw-1.istio-system   REJECTED   STALE    STALE    NOT SENT   NOT SENT   -",
        "web-1.default       SYNCED     SYNCED   SYNCED   SYNCED     SYNCED     42",
        "",
        "gw-1.istio-system CDS REJECTED: web: type: is bad",
        "gw-1.istio-system LDS,EDS STALE: not connected for 7 s",
    ]


def test_json_is_what_the_control_plane_says(status):
    _, text = status([WEB], "-o", "json")
    assert json.loads(text) == [WEB]


def test_an_empty_mesh_is_said_to_be_so(status):
    assert status([]) == (0, "no proxy is connected\n")


def test_an_unreachable_control_plane_is_one_line(capsys):
    assert main(["proxy-status", "--control", "http://127.0.0.1:1"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
