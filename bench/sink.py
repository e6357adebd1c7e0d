"""A lean mail server that takes everything and keeps nothing; where smtp-sink is not to be had.

NOOP is answered with the numbers of mails, and of octets, that have come since it began.
"""

import argparse
import asyncio

PIPELINING = b"250-PIPELINING\r\n"
COMMANDS = {b"EHLO": b"250-sink\r\n%b250 8BITMIME\r\n" % PIPELINING, b"DATA": b"354 Go on\r\n"}
END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """Commands line by line, data until its end."""

    mails = octets = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._unread = b""
        self._in_data = False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        Sink.octets += len(data)
        unread = self._unread + data
        replies = []
        while True:
            line, end, rest = unread.partition(END if self._in_data else b"\r\n")
            if not end:
                break
            unread = rest
            if self._in_data:
                self._in_data = False
                Sink.mails += 1
                replies.append(b"250 Taken\r\n")
                continue
            command = line[:4].upper()
            self._in_data = command == b"DATA"
            if command == b"NOOP":
                replies.append(b"250 %d %d\r\n" % (Sink.mails, Sink.octets))
            else:
                replies.append(COMMANDS.get(command, b"250 Yes\r\n"))
        self._unread = unread[1 - len(END) :] if self._in_data else unread
        self._transport.write(b"".join(replies))


async def main(address: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, address, port)
    await server.serve_forever()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--no-pipelining", action="store_true", help="wants a wait per command")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    options = read_options()
    if options.no_pipelining:
        COMMANDS[b"EHLO"] = COMMANDS[b"EHLO"].replace(PIPELINING, b"")
    run(main(options.address, options.port))
