"""What one HTTP/2 connection may hold. Envoy: Http2ProtocolOptions, but for the windows, which are as small as there is
to be kept for a peer that is not read."""

MAX_CONCURRENT_STREAMS = 100
STREAM_WINDOW = 64 * 1024
# So much that streams that nobody reads never take it from those that are read.
CONNECTION_WINDOW = MAX_CONCURRENT_STREAMS * STREAM_WINDOW

# Of a stream, what is to be sent and may not yet: from here on whoever sends is stopped, and half of it lets him go on.
SEND_BUFFER = 64 * 1024
# Of what streams send, for one write: only between writes a transport can say that it is full.
MAX_AT_ONCE = 256 * 1024
# What a transport that is paused may hold: bodies wait then, but heads and the answers to control frames do not, and a
# peer that asks for them without reading them is flooding us.
MAX_UNREAD = 1024 * 1024
# Closed streams whose late frames are known for what they are.
REMEMBERED_STREAMS = 256
# A dynamic table (RFC 7541 4.2), whatever the peer would let us keep.
HEADER_TABLE_SIZE = 4096
