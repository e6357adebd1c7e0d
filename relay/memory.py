"""What the C library does with memory that was given back.

glibc takes large blocks from the system and returns them when they are freed; but having done so
once, it serves all blocks of that size from its heaps, of which each thread has its own, and keeps
them. After a hundred mails of 25 MiB it held 360 MiB where it could do with 200.
"""

import contextlib
import ctypes

LARGE = 1_048_576  # octets; smaller blocks, such as pieces of messages, are quicker from a heap

_M_MMAP_THRESHOLD = -3  # of <malloc.h>


def return_large_blocks() -> bool:
    """Has blocks of `LARGE` octets or more return to the system, always. False: not with glibc."""
    with contextlib.suppress(AttributeError, OSError):
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE))
    return False
