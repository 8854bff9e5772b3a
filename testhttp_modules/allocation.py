"""What becomes of memory that is freed."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's <malloc.h>."""

_KEPT_BYTES = 64 * 1024 * 1024
_LARGEST_KEPT_BYTES = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Let the C library keep for the next page what was freed of the last one; other libraries go on as they do.

    Given back to the system, it comes again in pieces of 4 KiB, each of which takes two microseconds.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
