"""A lean mail server that takes everything and keeps nothing; where smtp-sink is not to be had."""

import asyncio
import sys

COMMANDS = {b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n", b"DATA": b"354 Go on\r\n"}
END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """Commands line by line, data until its end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._unread = b""
        self._in_data = False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        unread = self._unread + data
        replies = []
        while True:
            line, end, rest = unread.partition(END if self._in_data else b"\r\n")
            if not end:
                break
            unread = rest
            if self._in_data:
                self._in_data = False
                replies.append(b"250 Taken\r\n")
                continue
            command = line[:4].upper()
            self._in_data = command == b"DATA"
            replies.append(COMMANDS.get(command, b"250 Yes\r\n"))
        self._unread = unread[1 - len(END) :] if self._in_data else unread
        self._transport.write(b"".join(replies))


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    run(main(int(sys.argv[1])))
