"""What outlier detection remembers of one endpoint."""


class OutlierMonitor:
    """What is remembered of one endpoint. `multiplier` is Envoy's ejection back-off: it grows with each ejection and
    falls with each interval without one. `local_*` count what our own end had to do with, where that is split off."""

    __slots__ = (
        "consecutive_5xx",
        "consecutive_gateway_failure",
        "consecutive_local_origin_failure",
        "ejected_at",
        "ejections",
        "jitter",
        "local_origin_success_rate",
        "local_successes",
        "local_total",
        "multiplier",
        "success_rate",
        "successes",
        "total",
        "unejected_at",
    )

    def __init__(self) -> None:
        self.consecutive_5xx = 0
        self.consecutive_gateway_failure = 0
        self.consecutive_local_origin_failure = 0
        # of this interval
        self.total = 0
        self.successes = 0
        self.local_total = 0
        self.local_successes = 0
        # of the last one, in percent; -1: too few requests
        self.success_rate = -1.0
        self.local_origin_success_rate = -1.0
        # ejection
        self.ejected_at = 0.0
        self.unejected_at: float | None = None
        self.ejections = 0
        self.multiplier = 0
        self.jitter = 0.0

    def note_rates(self, volume: int) -> None:
        """Of the interval that ends; only shown."""
        self.success_rate = _percent(self.successes, self.total, volume)
        self.local_origin_success_rate = _percent(self.local_successes, self.local_total, volume)


def _percent(successes: int, total: int, volume: int) -> float:
    return 100.0 * successes / total if total and total >= volume else -1.0
