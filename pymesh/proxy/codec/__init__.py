"""HTTP/1.1 heads and bodies: bytes <-> messages, framing and smuggling rules (RFC 9112). Pure: no IO, no clock."""
