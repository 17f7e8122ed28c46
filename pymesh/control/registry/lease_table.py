"""Until when each workload is taken to be alive. Pure: the time is an argument, in monotonic seconds."""

from typing import NamedTuple

from pymesh.xds import LEASE_SECONDS

# When nobody looked at the leases for this long, this process did not run, and could not hear renewals either.
PAUSE_SECONDS = 2.0


class LeaseKey(NamedTuple):
    namespace: str
    name: str


class LeaseTable:
    def __init__(self, now: float, lease_seconds: float = LEASE_SECONDS) -> None:
        self.lease_seconds = lease_seconds
        self._deadlines: dict[LeaseKey, float] = {}
        self._last_look = now

    def __contains__(self, key: LeaseKey) -> bool:
        return key in self._deadlines

    def __len__(self) -> int:
        return len(self._deadlines)

    def renew(self, key: LeaseKey, now: float, grace: float = 0.0) -> None:
        self._deadlines[key] = now + self.lease_seconds + grace

    def end(self, key: LeaseKey) -> None:
        self._deadlines.pop(key, None)

    def has_expired(self, key: LeaseKey, now: float) -> bool:
        return self._deadlines.get(key, 0.0) < now

    def expired(self, now: float) -> list[LeaseKey]:
        """Those that are over; they stay in the table until `end`. To be asked often.

        After a pause of the process all leases begin anew: the renewals that came meanwhile are yet to be read.
        """
        was_paused = now - self._last_look > PAUSE_SECONDS
        self._last_look = now
        if was_paused:
            self._deadlines = {key: max(until, now + self.lease_seconds) for key, until in self._deadlines.items()}
        return [key for key, until in self._deadlines.items() if until < now]
