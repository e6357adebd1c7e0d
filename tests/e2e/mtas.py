"""Real mail servers as upstream: Postfix and Exim, unpacked, never installed.

Each wants users of its own in /etc/passwd: a mount namespace gives it them. What it takes it hands
on to `next_hop`, a port of this machine.
"""

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.house import PATIENCE, Certificates, free_port

USER, GROUP, DROP = 993, 993, 992
USERS = f"""\
letterbell-mta:x:{USER}:{GROUP}::/nonexistent:/bin/false
Debian-exim:x:{USER + 1}:{GROUP + 1}::/nonexistent:/bin/false
"""
GROUPS = f"""\
letterbell-mta:x:{GROUP}:
letterbell-drop:x:{DROP}:
Debian-exim:x:{GROUP + 1}:
"""
WITH_USERS = """
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/group" /etc/group
exec "$@"
"""


@contextmanager
def postfix(tree: Path, next_hop: int, certificates: Certificates) -> Iterator[int]:
    """A Postfix that offers STARTTLS alone, wants a login (anybody, "hunter2"), and knows nobody
    called `gone@example.org`. Its port."""
    with server_folder() as folder, _dovecot(folder / "auth"):
        settings = f"""
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {certificates.certificate}
smtpd_tls_key_file = {certificates.key}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
    check_recipient_access inline:{{{{gone@example.org = 550 5.1.1 No such person}}}}
    permit_sasl_authenticated, reject
"""
        with running_postfix(folder, tree, next_hop, settings) as (port, _):
            yield port


@contextmanager
def running_postfix(
    folder: Path, tree: Path, next_hop: int, settings: str
) -> Iterator[tuple[int, int]]:
    """A Postfix that lives in a `server_folder`, with more lines of main.cf: its port, and the
    process that is the parent of all others."""
    port = free_port()
    library = tree / "usr/lib/postfix"
    for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold"):
        _make(folder / "queue" / name, 0o700)
    for name in ("incoming", "private", "saved", "trace"):
        _make(folder / "queue" / name, 0o700)
    (folder / "queue/pid").mkdir()
    _make(folder / "queue/maildrop", 0o1730, DROP)
    _make(folder / "queue/public", 0o710, DROP)
    _make(folder / "data", 0o700)
    conf = folder / "conf"
    conf.mkdir()
    (conf / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {library}/sbin
command_directory = {tree}/usr/sbin
shlib_directory = {library}
import_environment = MAIL_CONFIG={conf} LD_LIBRARY_PATH={library}
mail_owner = letterbell-mta
setgid_group = letterbell-drop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = upstream.example.com
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
local_header_rewrite_clients =
message_size_limit = 60000000
relayhost = [127.0.0.1]:{next_hop}
{settings}""")
    services = [
        f"127.0.0.1:{port} inet n - n - - smtpd",
        "pickup unix n - n 60 1 pickup",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "rewrite unix - - n - - trivial-rewrite",
        "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce",
        "retry unix - - n - - error",
        "relay unix - - n - - smtp",
        "postlog unix-dgram n - n - 1 postlogd",
    ]
    services += [f"{name} unix - - n - 0 {name}" for name in ("bounce", "smtp", "error")]
    lonely = ("flush", "proxymap", "anvil", "scache", "tlsmgr")
    services += [f"{name} unix - - n - 1 {name}" for name in lonely]
    (conf / "master.cf").write_text("\n".join(services) + "\n")
    environment = {"LD_LIBRARY_PATH": str(library), "MAIL_CONFIG": str(conf)}
    command = [library / "sbin/master", "-c", conf, "-d"]
    with _running(folder, command, port, environment) as pid:
        yield port, pid


@contextmanager
def exim(program: Path, next_hop: int) -> Iterator[int]:
    """An Exim that takes anything without a login. Its port."""
    port = free_port()
    with server_folder() as folder:
        for name in ("spool", "log"):
            _make(folder / name, 0o750)
        config = folder / "exim.conf"
        config.write_text(f"""
primary_hostname = upstream.example.com
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
exim_path = {program}
deliver_drop_privilege
pid_file_path = {folder}/spool/pid
exim_user = letterbell-mta
exim_group = letterbell-mta
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
acl_smtp_rcpt = anything
begin acl
anything:
  accept
begin routers
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  transport = onward
  self = send
begin transports
onward:
  driver = smtp
  port = {next_hop}
  allow_localhost
  hosts_avoid_tls = *
""")
        with _running(folder, [program, "-C", config, "-bdf", "-q1m"], port, {}):
            yield port


@contextmanager
def server_folder() -> Iterator[Path]:
    """One that the servers' users may enter, as they may not enter a test's."""
    folder = Path(tempfile.mkdtemp(prefix="letterbell-mta-"))
    folder.chmod(0o755)
    etc = folder / "etc"
    etc.mkdir()
    for name, added in (("passwd", USERS), ("group", GROUPS)):
        (etc / name).write_text(Path("/etc", name).read_text() + added)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _make(folder: Path, mode: int, group: int = GROUP) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    os.chown(folder, USER, group)


@contextmanager
def _running(
    folder: Path, command: list[str | Path], port: int, environment: dict[str, str]
) -> Iterator[int]:
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", WITH_USERS, folder / "etc", *command],
        env=os.environ | environment,
        start_new_session=True,
    )
    try:
        _await_greeting(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _await_greeting(port: int, process: subprocess.Popen[bytes]) -> None:
    """It tells nobody when it is ready, so it is asked."""
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                assert client.recv(4) == b"220 "
                return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError(f"it ended with {process.returncode}")


@contextmanager
def _dovecot(path: Path) -> Iterator[None]:
    """What Postfix asks about logins: the server's side of Dovecot's protocol, version 1.1."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o666)
        server.listen()
        threading.Thread(target=_serve_logins, args=(server,), daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def _serve_logins(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer_logins, args=(connection,), daemon=True).start()


def _answer_logins(connection: socket.socket) -> None:
    with connection, connection.makefile("rw", newline="\n") as stream:
        stream.write("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\n")
        stream.write(f"SPID\t1\nCUID\t1\nCOOKIE\t{'0' * 32}\nDONE\n")
        stream.flush()
        for line in stream:
            verb, number, *fields = [*line.rstrip("\n").split("\t"), ""]
            if verb != "AUTH":
                continue
            response = next(each[5:] for each in fields if each.startswith("resp="))
            _, user, password = base64.b64decode(response).decode().split("\0")
            verdict = "OK" if password == "hunter2" else "FAIL"
            stream.write(f"{verdict}\t{number}\tuser={user}\n")
            stream.flush()
