"""Fetches what the tests drive: programs of the system, mail servers, node's packages, sslyze.

With --clients, all the mail programs of tests/clients as well.

Only what is missing is fetched, and only where that may be done: on Debian as root. What cannot
be had is no error here: each test says what it misses (a failure with CI=true, else a skip).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = ROOT / "build" / "system"

# What tells that a thing is there -> Debian's package of it.
PROGRAMS = {
    "swaks": "swaks",
    "msmtp": "msmtp",
    "curl": "curl",
    "chromium": "chromium",
    "node": "nodejs",
    "npm": "npm",
    "haproxy": "haproxy",
    "openssl": "openssl",
    "systemd-analyze": "systemd",
    "systemd-socket-activate": "systemd",
    "strace": "strace",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "faketime": "faketime",
}
FILES = {
    "/usr/share/perl5/Net/SSLeay.pm /usr/lib/*/perl5/5.*/Net/SSLeay.pm": "libnet-ssleay-perl",
    "/usr/share/fonts/truetype/*/*.ttf": "fonts-dejavu-core",
}
CLIENT_PROGRAMS = {
    "s-nail": "s-nail",
    "neomutt": "neomutt",
    "php": "php-cli",
    "thunderbird": "thunderbird",
}
CLIENT_FILES = {
    "/usr/share/php/libphp-phpmailer/autoload.php": "libphp-phpmailer",
    "/usr/lib/git-core/git-send-email": "git-email",
    "/usr/share/perl5/Mail/Address.pm": "libmailtools-perl",
    "/usr/share/perl5/Authen/SASL.pm": "libauthen-sasl-perl",
    "/usr/share/perl5/IO/Socket/SSL.pm": "libio-socket-ssl-perl",
}

SSLYZE = "sslyze==6.3.1"  # looks at the listeners' TLS

# Mail and web servers: Debian's package, and a program in it that tells which libraries it wants.
SERVERS = {
    "postfix": ("postfix", "usr/sbin/smtp-sink"),
    "exim": ("exim4-daemon-light", "usr/sbin/exim4"),
    "nginx": ("nginx", "usr/sbin/nginx"),
    "caddy": ("caddy", "usr/bin/caddy"),
}
# smtp-sink refuses to run as root, and wants to be told who to be instead.
WRAPPER = """\
#!/bin/sh
[ "$(id -u)" = 0 ] && set -- {as_root} "$@"
LD_LIBRARY_PATH='{postfix}/usr/lib/postfix' exec '{postfix}/usr/sbin/{name}' "$@"
"""
POSTFIX_TOOLS = {"smtp-sink": "-u nobody", "smtp-source": ""}


def main() -> None:
    if "--clients" in sys.argv[1:]:
        PROGRAMS.update(CLIENT_PROGRAMS)
        FILES.update(CLIENT_FILES)
    for step in (fetch_packages, fetch_servers, fetch_node_modules, fetch_sslyze):
        try:
            step()
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"{step.__name__} failed: {error}")


def fetch_packages() -> None:
    missing = [package for name, package in PROGRAMS.items() if not shutil.which(name)]
    missing += [package for globs, package in FILES.items() if not there(globs)]
    if missing:
        install(missing)


def there(globs: str) -> bool:
    return any(any(Path("/").glob(pattern.lstrip("/"))) for pattern in globs.split())


def install(packages: list[str]) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"missing here, and not root on Debian: {' '.join(packages)}")
        return
    say(f"installing {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-qq", "--no-install-recommends", *packages, env=environment)


def fetch_servers() -> None:
    for name in SERVERS:
        fetch_server(name)
    for tool, as_root in POSTFIX_TOOLS.items():
        path = HERE / "bin" / tool
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(WRAPPER.format(as_root=as_root, postfix=HERE / "postfix", name=tool))
        path.chmod(0o755)


def fetch_server(name: str) -> None:
    """Unpacks a server without installing it: they exclude each other, and would start."""
    package, program = SERVERS[name]
    if (HERE / name / program).exists():
        return
    if not shutil.which("apt-get"):
        say(f"{name} is missing here, and this is not Debian")
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        unpack(HERE / name, download(package, Path(folder)), program)


def download(package: str, folder: Path) -> Path:
    say(f"unpacking {package}")
    try:
        run("apt-get", "download", "-qq", package, cwd=folder)
    except subprocess.CalledProcessError:
        run("apt-get", "update", "-qq")
        run("apt-get", "download", "-qq", package, cwd=folder)
    return next(folder.glob(f"{package}_*.deb"))


def unpack(tree: Path, package: Path, program: str) -> None:
    """With the libraries that the program lacks here; the tree is there only once it is whole."""
    new = tree.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    run("dpkg", "-x", str(package), str(new))
    linked = subprocess.run(
        ["ldd", new / program],
        env=os.environ | {"LD_LIBRARY_PATH": str(new / "usr/lib/postfix")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    if "not found" in linked:
        depends = subprocess.run(
            ["dpkg-deb", "-f", package, "Depends"], check=True, capture_output=True, text=True
        ).stdout
        names = [each.split()[0] for each in depends.split(",")]
        install([name for name in names if name.startswith("lib")])
    shutil.rmtree(tree, ignore_errors=True)
    new.rename(tree)


def fetch_node_modules() -> None:
    install_node_modules(ROOT / "tests" / "package.json", HERE)


def install_node_modules(wanted: Path, home: Path) -> None:
    """What a package.json wants, into a folder that has no other; unless it is there already."""
    have, name = home / "package.json", wanted.relative_to(ROOT)
    if have.exists() and have.read_bytes() == wanted.read_bytes():
        return
    if not shutil.which("npm"):
        say(f"npm is missing here, and with it the node packages of {name}")
        return
    say(f"installing the node packages of {name}")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        shutil.copy(wanted, folder)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--silent")
        run("npm", "install", "--omit=optional", *quiet, cwd=Path(folder))
        shutil.rmtree(home / "node_modules", ignore_errors=True)
        (Path(folder) / "node_modules").rename(home / "node_modules")
    shutil.copy(wanted, have)


def fetch_sslyze() -> None:
    """Has an environment of its own: its pydantic and cryptography are not ours."""
    have = HERE / "sslyze" / "version"
    if have.exists() and have.read_text() == SSLYZE:
        return
    say(f"installing {SSLYZE}")
    run(sys.executable, "-m", "venv", "--clear", str(have.parent))
    pip = (str(have.parent / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", SSLYZE)
    have.write_text(SSLYZE)


def run(*command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    nothing = subprocess.DEVNULL
    subprocess.run(command, cwd=cwd, env=env, check=True, stdin=nothing, stdout=nothing)


def say(text: str) -> None:
    sys.stdout.write(f"tests/system: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
