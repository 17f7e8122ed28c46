"""The access log: a line a stream in Istio's default text format, buffered here, written by a thread of its own."""

from pymesh.proxy.telemetry.stream_info import StreamInfo


class AccessLog:
    """`path` is a file that is appended to; `-` and `/dev/stdout` are standard output.

    Raises UsageError where the file cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def log(self, info: StreamInfo) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Write what is buffered. Blocks for at most a second."""
        raise NotImplementedError
