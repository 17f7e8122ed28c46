"""HTTP/2 (RFC 9113) on the h2 library: bytes <-> heads, bodies and resets of many streams. Pure: no IO, no clock.

`Session` is one connection, for either side; `SessionStream` is one request and its response on it. `heads` knows what
a field list must be and must not, `flood` how much of what costs a peer nothing is too much, `engine` what h2 does not
do as a proxy needs it. Import nothing from here before a peer speaks HTTP/2: most sidecars never need the memory.
"""
