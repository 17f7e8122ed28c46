"""How many clients a process serves at once, all listeners together (Envoy: global_downstream_max_connections).

Without a limit, a flood of connections would use up the file descriptors, and with them the connections to endpoints of
the clients that are there already. Istio leaves Envoy without one.
https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/overload_manager/overload_manager
"""

# Files that are no connections: listeners, logs, the control plane's and the admin port's clients.
RESERVED_FILES = 128
MOST_CONNECTIONS = 50_000  # Envoy's advice for an edge; each costs some 12 KB
_LEAST_CONNECTIONS = 64


class ConnectionLimit:
    """Counts the clients that are here."""

    __slots__ = ("active", "maximum")

    def __init__(self, maximum: int = MOST_CONNECTIONS) -> None:
        self.maximum = maximum
        self.active = 0

    def __repr__(self) -> str:
        return f"<ConnectionLimit {self.active}/{self.maximum}>"

    def try_acquire(self) -> bool:
        if self.active >= self.maximum:
            return False
        self.active += 1
        return True

    def release(self) -> None:
        self.active -= 1


def connections_within(files: int) -> int:
    """The limit for a process that may open so many files: each client may need one more, for its endpoint."""
    return min(MOST_CONNECTIONS, max(_LEAST_CONNECTIONS, (files - RESERVED_FILES) // 2))
