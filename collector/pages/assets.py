"""The files that pages are made of: styles, scripts, a font, icons.

Only files found at start are served, by a table: no path of a request ever reaches the disk. A
URL carries a hash of its file's bytes, so browsers may keep it for ever and still see a new
version at once.
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from aiohttp import web

FOR_EVER = "public, max-age=31536000, immutable"
FOR_AN_HOUR = "public, max-age=3600"  # asked for without a version, as styles ask for fonts


@dataclass(frozen=True, slots=True)
class Asset:
    """A file and the short hash of its bytes."""

    path: Path
    version: str


class Assets:
    """The files under one folder, served under one prefix ("/static/")."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._prefix = prefix
        self._found = {
            path.relative_to(folder).as_posix(): Asset(path, _version(path))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def url(self, name: str) -> str:
        """The address of a file by its name in the folder. Raises KeyError where there is none."""
        return f"{self._prefix}{name}?v={self._found[name].version}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answers with the file, or 404."""
        asset = self._found.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        current = request.query.get("v") == asset.version
        return web.FileResponse(
            asset.path,
            headers={
                "Cache-Control": FOR_EVER if current else FOR_AN_HOUR,
                "X-Content-Type-Options": "nosniff",
            },
        )


def _version(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=6).hexdigest()
