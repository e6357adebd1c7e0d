"""What a server uses of the machine: processor and memory of a process and all below it."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time that the processes have had, those that have ended included."""
    ticks = 0
    for each in tree(pid):
        # utime, stime, and both of children that were waited for: proc_pid_stat(5)
        fields = _read(each, "stat").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def rss_mib(pid: int, which: str) -> int:
    """One process's memory: "RSS" now, "HWM" at its highest."""
    return _kib(pid, "status", f"Vm{which}:") // 1024


def memory_kib(pid: int) -> int:
    """Memory of all processes that no file is mapped to; what some share is counted once."""
    return sum(_kib(each, "smaps_rollup", "Pss_Anon:") for each in tree(pid))


def tree(pid: int) -> Iterator[int]:
    """The process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield from tree(int(child))


def _kib(pid: int, file: str, name: str) -> int:
    """A line's number; 0 for a process that has ended."""
    lines = _read(pid, file).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _read(pid: int, file: str) -> str:
    """Empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return ""
