"""How much of what costs a peer nothing is too much. Envoy: ProtocolConstraints, with its defaults.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/protocol.proto (config.core.v3.Http2ProtocolOptions)
"""

from pymesh.proxy.codec.message import CodecError

MAX_EMPTY_FRAMES = 1
MAX_PRIORITY_FRAMES_PER_STREAM = 100
MAX_WINDOW_UPDATES_PER_DATA_FRAME = 10
# Beyond Envoy: who means it changes his settings now and then, and says nonsense never.
MAX_SETTINGS_PER_STREAM = 100
MAX_MALFORMED = 100

EMPTY_FLOOD = CodecError(400, "http2.inbound_empty_frames_flood")
PRIORITY_FLOOD = CodecError(400, "http2.inbound_priority_frames_flood")
WINDOW_UPDATE_FLOOD = CodecError(400, "http2.inbound_window_update_frames_flood")
SETTINGS_FLOOD = CodecError(400, "http2.inbound_settings_frames_flood")
MALFORMED_FLOOD = CodecError(400, "http2.violation.of.messaging.rule")


class FloodGuard:
    """Counts for one connection."""

    __slots__ = (
        "data_frames_sent",
        "empty_frames",
        "malformed",
        "priority_frames",
        "settings",
        "streams",
        "window_updates",
    )

    def __init__(self) -> None:
        self.streams = 0  # that there ever were
        self.data_frames_sent = 0
        self.empty_frames = 0  # one after the other
        self.priority_frames = 0
        self.window_updates = 0
        self.settings = 0
        self.malformed = 0

    def find_flood(self) -> CodecError | None:
        """To be asked after each read."""
        if self.empty_frames > MAX_EMPTY_FRAMES:
            return EMPTY_FLOOD
        if self.priority_frames > MAX_PRIORITY_FRAMES_PER_STREAM * (1 + self.streams):
            return PRIORITY_FLOOD
        if self.window_updates > 5 + 2 * (self.streams + MAX_WINDOW_UPDATES_PER_DATA_FRAME * self.data_frames_sent):
            return WINDOW_UPDATE_FLOOD
        if self.settings > MAX_SETTINGS_PER_STREAM * (1 + self.streams):
            return SETTINGS_FLOOD
        return MALFORMED_FLOOD if self.malformed > MAX_MALFORMED else None
