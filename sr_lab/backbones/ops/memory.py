"""Keeping freed memory inside the process, which spares the page faults of every step of an optimisation."""

import ctypes
import sys

# parameters of mallopt(3)
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large freed blocks rather than unmap them; true if it agreed.

    A step of a deep image prior allocates and frees every feature map. By default glibc maps blocks of this
    size afresh each time and the kernel zeroes them page by page, which can take as long as the arithmetic.
    The price is that the process holds on to its peak memory. It is a setting of the whole process; other
    C libraries do nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
