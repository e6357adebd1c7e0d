"""Fetches what the tests drive: programs of the system, smtp-sink, node's packages, sslyze.

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
POSTFIX = HERE / "postfix"

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
    for step in (fetch_packages, fetch_postfix, fetch_node_modules, fetch_sslyze):
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


def fetch_postfix() -> None:
    """Unpacks Postfix without installing it: two of its test tools need no running Postfix."""
    if all((HERE / "bin" / name).exists() for name in POSTFIX_TOOLS):
        return
    if not shutil.which("apt-get"):
        say("smtp-sink and smtp-source are missing here, and this is not Debian")
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        package = download_postfix(Path(folder))
        shutil.rmtree(POSTFIX, ignore_errors=True)
        POSTFIX.mkdir(parents=True)
        run("dpkg", "-x", str(package), str(POSTFIX))
        install_libraries_of(package)
    for name, as_root in POSTFIX_TOOLS.items():
        tool = HERE / "bin" / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(WRAPPER.format(as_root=as_root, postfix=POSTFIX, name=name))
        tool.chmod(0o755)


def download_postfix(folder: Path) -> Path:
    say("unpacking Postfix's smtp-sink and smtp-source")
    try:
        run("apt-get", "download", "-qq", "postfix", cwd=folder)
    except subprocess.CalledProcessError:
        run("apt-get", "update", "-qq")
        run("apt-get", "download", "-qq", "postfix", cwd=folder)
    return next(folder.glob("postfix_*.deb"))


def install_libraries_of(package: Path) -> None:
    linked = subprocess.run(
        ["ldd", POSTFIX / "usr/sbin/smtp-sink"],
        env=os.environ | {"LD_LIBRARY_PATH": str(POSTFIX / "usr/lib/postfix")},
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


def fetch_node_modules() -> None:
    wanted = ROOT / "tests" / "package.json"
    have = HERE / "package.json"
    if have.exists() and have.read_bytes() == wanted.read_bytes():
        return
    if not shutil.which("npm"):
        say("npm is missing here, and with it the node packages of tests/package.json")
        return
    say("installing the node packages of tests/package.json")
    HERE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        shutil.copy(wanted, folder)
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--silent")
        run("npm", "install", *quiet, cwd=Path(folder))
        shutil.rmtree(HERE / "node_modules", ignore_errors=True)
        (Path(folder) / "node_modules").rename(HERE / "node_modules")
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
