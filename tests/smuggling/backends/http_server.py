"""Reads the whole body, tells what it saw, and answers with the path. The standard library's server forgives much."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def tell(*words: object) -> None:
    """In one write: there are threads."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        length = self.read_chunks() if "chunked" in self.headers.get("transfer-encoding", "") else self.read_counted()
        tell(200, self.command, self.path, length)
        body = self.path.encode("latin-1")
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_counted(self) -> int:
        return len(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def read_chunks(self) -> int:
        length = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            length += len(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return length

    def send_error(self, code: int, *arguments: Any, **options: Any) -> None:
        tell(int(code), "?", "?", 0)
        super().send_error(code, *arguments, **options)

    def log_message(self, *_: Any) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
