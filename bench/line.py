"""A line between two network namespaces, with the round-trip time that is asked for.

Without one it is a veth pair. With one, `tc netem` delays what each end sends; where the kernel has
no netem, two TUN devices take the pair's place, and a process of ours carries packets from one to
the other when their time has come. TCP sees the same either way: handshakes, windows and
acknowledgements take as long as they do over a real line.
"""

import asyncio
import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = "lb-bench"
NEAR, FAR = "192.0.2.1", "192.0.2.2"  # RFC 5737: nobody else's
QUEUE = 100_000  # packets that may be under way: none is to be lost

# linux/if_tun.h. With the header of virtio a packet may be 64 kB, which TCP cuts up as it counts.
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4 = 0x01, 0x02
PACKET = 65_536 + 10


@dataclass(frozen=True, slots=True)
class Ends:
    """The two namespaces, by name."""

    near: str
    far: str

    @property
    def at_far(self) -> tuple[str, ...]:
        """The words before a command that is to run there."""
        return ("ip", "netns", "exec", self.far)

    def enter_near(self) -> None:
        """This process, and those that it starts, are there from now on.

        What is sent from there is not paced: bbr, where a system has that, spreads 30 kB over half
        a round trip; Linux's own choice, cubic, does as reno does where nothing is lost.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", self.near).open() as file:
            if libc.setns(file.fileno(), 0):  # os.setns is there from Python 3.12 on
                raise OSError(ctypes.get_errno(), f"cannot enter {self.near}")
        Path("/proc/sys/net/ipv4/tcp_congestion_control").write_text("reno")


def missing() -> str | None:
    """What is missing here for a line; None if nothing is."""
    if os.geteuid() != 0:
        return "network namespaces need root: run it as root"
    programs = [program for program in ("ip", "tc") if not shutil.which(program)]
    if programs:
        return f"{' and '.join(programs)} missing (Debian: apt-get install iproute2)"
    return None


@contextmanager
def ends() -> Iterator[Ends]:
    """Two namespaces of our own, that reach nobody; gone afterwards, as are a killed run's."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    remove_orphans()
    names = [f"{PREFIX}-{os.getpid()}-{end}" for end in ("near", "far")]
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        yield Ends(*names)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def remove_orphans() -> None:
    for path in Path("/run/netns").glob(f"{PREFIX}-*"):
        if not Path("/proc", path.name.split("-")[-2]).exists():
            run("ip", "netns", "del", path.name)


def has_netem(both: Ends) -> bool:
    """Whether this kernel can delay packets by itself."""
    command = ["tc", "-n", both.near, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    if subprocess.run(command, capture_output=True).returncode:
        return False
    run("tc", "-n", both.near, "qdisc", "del", "dev", "lo", "root")
    return True


@contextmanager
def line(both: Ends, *, round_trip: float) -> Iterator[None]:
    """Joins the two, NEAR to FAR, with `round_trip` in seconds."""
    delay = round_trip / 2
    if not delay or has_netem(both):
        with veth(both):
            for name in (both.near, both.far) if delay else ():
                netem = ("netem", "delay", f"{delay * 1000:g}ms", "limit", str(QUEUE))
                run("tc", "-n", name, "qdisc", "add", "dev", "line", "root", *netem)
            yield
    else:
        with tunnel(both, delay):
            yield


@contextmanager
def veth(both: Ends) -> Iterator[None]:
    near, far = (("line", "netns", name) for name in (both.near, both.far))
    run("ip", "link", "add", *near, "type", "veth", "peer", "name", *far)
    try:
        put_up(both)
        yield
    finally:
        run("ip", "-n", both.near, "link", "del", "line")


@contextmanager
def tunnel(both: Ends, delay: float) -> Iterator[None]:
    """The devices live as long as the process that has them open."""
    files = [open_tun(name) for name in (both.near, both.far)]
    carrier = subprocess.Popen(
        [sys.executable, __file__, *map(str, files), str(delay)], pass_fds=files
    )
    for file in files:
        os.close(file)
    try:
        put_up(both)
        yield
    finally:
        carrier.kill()
        carrier.wait()


def open_tun(name: str) -> int:
    """A TUN device, `line` in the namespace of that name."""
    device = f"lb{os.getpid() % 10**6}{name[-4:]}"[:15]
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), flags))
    fcntl.ioctl(file, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
    run("ip", "link", "set", device, "netns", name, "name", "line", "txqueuelen", str(QUEUE))
    return file


def put_up(both: Ends) -> None:
    for name, own, other in ((both.near, NEAR, FAR), (both.far, FAR, NEAR)):
        run("ip", "-n", name, "address", "add", own, "peer", other, "dev", "line")
        run("ip", "-n", name, "link", "set", "line", "up")


def run(*command: str) -> None:
    subprocess.run(command, check=True)


async def carry(files: tuple[int, int], delay: float) -> None:
    """Takes packets from each device and gives them to the other, `delay` seconds later."""
    one, other = files
    Way(one, other, delay).begin()
    Way(other, one, delay).begin()
    await asyncio.Event().wait()


class Way:
    """One direction."""

    def __init__(self, source: int, target: int, delay: float) -> None:
        self._source = source
        self._target = target
        self._delay = delay
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        self._loop.add_reader(self._source, self._take)

    def _take(self) -> None:
        due = self._loop.time() + self._delay
        idle = not self._under_way
        with suppress(BlockingIOError):
            while True:
                self._under_way.append((due, os.read(self._source, PACKET)))
        if idle and self._under_way:
            self._loop.call_at(due, self._give)

    def _give(self) -> None:
        now = self._loop.time()
        while self._under_way and self._under_way[0][0] <= now:
            os.write(self._target, self._under_way.popleft()[1])
        if self._under_way:
            self._loop.call_at(self._under_way[0][0], self._give)


if __name__ == "__main__":
    from uvloop import run as run_loop

    run_loop(carry((int(sys.argv[1]), int(sys.argv[2])), float(sys.argv[3])))
