"""`python -m pymesh.proxy.workers MESSAGES SOCKETS CELLS`: one worker, on the file descriptors that it inherits."""

import signal
import socket
import sys


def main() -> int:
    # Before anything that takes time: they may come to all processes at once, and it is the supervisor who obeys them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    from pymesh.proxy.garbage import spare_what_is_loaded
    from pymesh.proxy.lifecycle import run_event_loop
    from pymesh.proxy.workers.worker import Worker

    messages, sockets, cells = map(int, sys.argv[1:])

    async def run() -> int:
        spare_what_is_loaded()
        return await Worker(socket.socket(fileno=messages), socket.socket(fileno=sockets), cells).run()

    return run_event_loop(run())


if __name__ == "__main__":
    sys.exit(main())
