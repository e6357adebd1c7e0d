"""node and its packages, at the versions of package.json, in build/peers."""

import shutil
import subprocess
from pathlib import Path

from system.fetch import install_node_modules

from peers import ROOT
from peers.server import Missing

HOME = ROOT / "build" / "peers"
WANTED = Path(__file__).parent / "package.json"


def node() -> str:
    """Its path, once the packages are there. Raises Missing."""
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        raise Missing("node and npm are missing here (Debian: apt-get install npm)")
    try:
        install_node_modules(WANTED, HOME)
    except subprocess.CalledProcessError:
        raise Missing("npm cannot fetch it: no network?") from None
    return found
