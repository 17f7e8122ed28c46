"""How commands talk to the control plane: where it is, one connection, JSON both ways. Starts fast: no aiohttp."""

import argparse
import http.client
import json
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from pymesh.errors import ControlUnreachableError, PymeshError, UsageError
from pymesh.state_dir import find_control_api, open_state_dir

TIMEOUT_SECONDS = 30.0
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class ApiError(PymeshError):
    """The control plane answered with an error. `status` is its Kubernetes Status, empty if it sent none."""

    def __init__(self, code: int, message: str, status: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(path, reason) of each violation of an object that was refused."""
        causes = self.status.get("details", {}).get("causes", [])
        return [(cause.get("field", ""), cause.get("message", "")) for cause in causes]


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--control", metavar="URL", help="the control plane's plaintext URL, http://127.0.0.1:15010")
    parser.add_argument("--state-dir", metavar="DIR", help="find the control plane that runs with this state dir")


def open_client(args: argparse.Namespace) -> "ControlClient":
    """A client for the flags of `add_client_arguments`. Nothing is connected yet. Raises UsageError."""
    return ControlClient(find_control_api(args.control, open_state_dir(args.state_dir)))


class ControlClient:
    """One keep-alive connection to the control plane. Use it in a `with`. `warnings` are those of the last answer."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        try:
            if parts.scheme != "http" or not parts.hostname:
                raise ValueError("must be http://HOST:PORT")
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
        except (ValueError, http.client.InvalidURL) as error:
            raise UsageError(f"--control {url}: {error}") from error
        self.url = url
        self.warnings: list[str] = []

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = JSON) -> Any:
        """The JSON at `path`. Raises ApiError and ControlUnreachableError."""
        return self.request("GET", path, query, accept=accept)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = JSON,
        sent: str = JSON,
    ) -> Any:
        """The decoded answer; text where the answer is not JSON. `sent` is the media type of the body.

        Raises ApiError and ControlUnreachableError."""
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept, **({} if content is None else {"Content-Type": sent})}
        code, content_type, answer = self._exchange(method, target, content, headers)
        value = _decode(answer, content_type)
        if code >= 400:
            raise _api_error(code, value)
        return value

    def _exchange(
        self, method: str, target: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str, bytes]:
        try:
            self._connection.request(method, target, content, headers)
            response = self._connection.getresponse()
            self.warnings = [_warning_text(header) for header in response.headers.get_all("Warning", [])]
            return response.status, response.headers.get_content_type(), response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            if isinstance(error, ConnectionRefusedError):
                reason += " (does `pymesh control` run?)"
            raise ControlUnreachableError(f"no answer from the control plane at {self.url}: {reason}") from error


def _warning_text(header: str) -> str:
    """RFC 9110 5.6.4: `299 - "text"`, in which a backslash stands before what it keeps from its meaning."""
    return re.sub(r"\\(.)", r"\1", header.partition('"')[2].rpartition('"')[0])


def _decode(answer: bytes, content_type: str) -> Any:
    if content_type != JSON:
        return answer.decode(errors="replace")
    try:
        return json.loads(answer)
    except ValueError as error:
        raise PymeshError(f"the control plane's answer is not JSON: {error}") from error


def _api_error(code: int, value: Any) -> ApiError:
    status = value if isinstance(value, dict) else {}
    text = value.strip() if isinstance(value, str) else ""
    return ApiError(code, status.get("message") or text or f"the control plane answered {code}", status)
