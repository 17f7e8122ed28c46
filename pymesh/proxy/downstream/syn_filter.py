"""Closes a listening socket to new connections without losing one that has begun. Nothing of ours is imported here.

The kernel makes connections by itself: one that it completes between our last accept(2) and our close(2) is reset, and
its client may have sent a request already. With a socket filter, no new one begins; those that have begun complete,
are accepted, and then there is nothing left to lose. Whoever is dropped tries again after a second, as TCP does, and
is refused, or finds the process that listens then.
"""

import ctypes
import socket
import struct

# How long a handshake that has begun may take.
HANDSHAKE_SECONDS = 0.05

_SO_ATTACH_FILTER = 26  # socket(7)
_SYN, _ACK, _FLAGS_OFFSET = 0x02, 0x10, 13  # RFC 9293 3.1
# BPF in its classic form, as bpf(4) has it: code, jump if true, jump if false, operand. It sees the TCP header.
_PROGRAM = (
    (0x30, 0, 0, _FLAGS_OFFSET),  # load the byte of the flags
    (0x54, 0, 0, _SYN | _ACK),  # and
    (0x15, 1, 0, _SYN),  # equal: the one after the next
    (0x06, 0, 0, 0xFFFFFFFF),  # return: take the whole packet
    (0x06, 0, 0, 0),  # return: take none of it
)


def drop_new_connections(sock: socket.socket) -> bool:
    """False where the kernel cannot do it."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _PROGRAM))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_PROGRAM), ctypes.addressof(code)))
    except OSError:
        return False
    return True
