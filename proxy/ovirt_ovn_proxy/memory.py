# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the C library's allocator treats big blocks, such as the rendered lists of ports.

I/O: it changes the process. May not import anything of this package.
"""

from __future__ import annotations

import contextlib

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc
_BIG_BYTES = 256 * 1024


def give_back_big_blocks() -> None:
    """Have what big blocks took given back to the system as soon as they are freed.

    glibc does so at first, but each big block that is freed teaches it to keep up to that
    size, 32 MiB at the most, in one of its many heaps, which then have more holes than
    content (mallopt(3)). Other C libraries are left as they are.
    """
    # Where memory may not be both written and executed, an older libffi cannot even be imported.
    with contextlib.suppress(OSError, AttributeError, ImportError, MemoryError):
        import ctypes

        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _BIG_BYTES)
