"""Bare aiohttp: the pixel and the redirect, answered and forgotten."""

import sys

import uvloop
from aiohttp import web

PORT, TARGET = int(sys.argv[1]), sys.argv[2]
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


async def send_pixel(request: web.Request) -> web.Response:
    return web.Response(body=PIXEL, content_type="image/gif")


async def redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": TARGET})


def main() -> None:
    uvloop.install()
    app = web.Application()
    app.add_routes([web.get("/o/{token}", send_pixel), web.get("/c/{token}", redirect)])
    web.run_app(app, host="127.0.0.1", port=PORT, access_log=None, print=None)


if __name__ == "__main__":
    main()
