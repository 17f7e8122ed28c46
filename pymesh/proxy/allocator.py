"""How the C library keeps the memory of buffers. Nothing of ours is imported here.

A transport reads up to 256 KiB at a time. glibc takes blocks of such sizes from the kernel and gives them back, each
time, so that every page of every read is faulted in and cleared anew: a quarter of what a large response costs.
"""

import ctypes

# mallopt(3). Blocks up to here come from the heap, of which this much may stay when it is not in use.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_HEAP_BLOCK = 4 << 20
_UNUSED_HEAP = 16 << 20


def keep_buffers() -> None:
    """No effect where the C library has no mallopt: musl's, macOS'."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _HEAP_BLOCK)
        mallopt(_M_TRIM_THRESHOLD, _UNUSED_HEAP)
