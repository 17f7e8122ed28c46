"""Which side of a call a proxy stands on: it decides Istio's `reporter`, the span kind, and who is the peer."""

from enum import Enum


class Direction(Enum):
    """INBOUND: beside the destination. OUTBOUND: beside the source, or at a gateway."""

    INBOUND = "destination"
    OUTBOUND = "source"

    @property
    def reporter(self) -> str:
        return self.value


INBOUND = Direction.INBOUND
OUTBOUND = Direction.OUTBOUND
