"""Which of many hosts, wildcards among them, has another one within it."""

from collections.abc import Iterable

_LONGEST_HOST = 255


class HostCover:
    """Looks a host's endings up, so that its cost does not grow with the number of wildcards."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(hosts)

    def covers(self, host: str) -> bool:
        return host in self._hosts or self.wildcard_of(host) is not None

    def wildcard_of(self, host: str) -> str | None:
        """The narrowest wildcard, other than the host itself, that stands for all that the host stands for."""
        if len(host) > _LONGEST_HOST:
            return None
        wildcards = (f"*{host[start:]}" for start in range(len(host) + 1))
        return next((one for one in wildcards if one != host and one in self._hosts), None)
