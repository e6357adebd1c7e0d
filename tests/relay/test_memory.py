"""Large blocks go back to the system; in a process of its own, since it cannot be undone."""

import platform
import subprocess
import sys

SCRIPT = """
import ctypes
from relay.memory import LARGE, return_large_blocks

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

def mapped():
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Info
    return library.mallinfo2().hblkhd

assert return_large_blocks()
for _ in range(3):  # from the second time on, it would come from a heap
    before = mapped()
    block = bytes(8 * LARGE)
    assert mapped() - before >= 8 * LARGE
    del block
    assert mapped() == before
"""


def test_large_blocks_are_the_systems_each_time() -> None:
    if platform.libc_ver()[0] == "glibc":
        subprocess.run([sys.executable, "-c", SCRIPT], check=True)
    else:
        absent = "from relay.memory import return_large_blocks; assert not return_large_blocks()"
        subprocess.run([sys.executable, "-c", absent], check=True)
