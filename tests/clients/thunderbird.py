"""Thunderbird, without a screen: opens a compose window, fills it in, presses Send.

    python thunderbird.py '{"port": …, "secure": …, "subject": …, …}' FILE

FILE gets the mail as Thunderbird keeps it in Sent. Speaks Marionette, as Mozilla's own tests do.
The profile is made anew in the working directory; its settings ask for a delivery status
notification of every mail.
"""

import json
import mailbox
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marionette_driver.marionette import Marionette

PATIENCE = 40
HERE = Path(__file__).parent


def settings(given: dict[str, Any], marionette: int) -> dict[str, object]:
    """prefs.js: one account that receives nothing, one server to send by."""
    folders = "mailbox://nobody@Local%20Folders"
    return {
        "marionette.port": marionette,
        "mail.accountmanager.accounts": "account1",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.accountmanager.localfoldersserver": "server1",
        "mail.account.account1.server": "server1",
        "mail.account.account1.identities": "id1",
        "mail.server.server1.type": "none",
        "mail.server.server1.hostname": "Local Folders",
        "mail.server.server1.userName": "nobody",
        "mail.server.server1.directory-rel": "[ProfD]Mail/Local Folders",
        "mail.identity.id1.valid": True,
        "mail.identity.id1.fullName": "Ana",
        "mail.identity.id1.useremail": given["from"],
        "mail.identity.id1.smtpServer": "smtp1",
        "mail.identity.id1.fcc": True,
        "mail.identity.id1.fcc_folder": f"{folders}/Sent",
        "mail.smtpservers": "smtp1",
        "mail.smtp.defaultserver": "smtp1",
        "mail.smtpserver.smtp1.hostname": "localhost",
        "mail.smtpserver.smtp1.port": given["port"],
        "mail.smtpserver.smtp1.try_ssl": 3 if given["secure"] else 2,
        "mail.smtpserver.smtp1.authMethod": 3,
        "mail.smtpserver.smtp1.username": given["user"],
        "mail.dsn.always_request_on": True,
        "mail.provider.suppress_dialog_on_startup": True,
        "mail.rights.version": 1,
        "mail.shell.checkDefaultClient": False,
        "mailnews.start_page.enabled": False,
        "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "toolkit.telemetry.enabled": False,
        "services.settings.server": "data:,",
        "network.dns.disableIPv6": True,
    }


@contextmanager
def running(given: dict[str, Any]) -> Iterator[Marionette]:
    """Thunderbird with these settings and a new profile in the working directory, spoken to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    profile = Path("profile")
    profile.mkdir()
    lines = (
        f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in settings(given, port).items()
    )
    (profile / "prefs.js").write_text("".join(lines))
    flags = ("--headless", "--no-remote", "--marionette", "--remote-allow-system-access")
    with (
        Path("thunderbird.log").open("wb") as log,
        subprocess.Popen(
            ["thunderbird", *flags, "--profile", profile.absolute()],
            stdout=log,
            stderr=log,
            env=os.environ | {"TMPDIR": str(Path.cwd())},  # two at once share no /tmp/nsemail.eml
        ) as thunderbird,
    ):
        try:
            marionette = Marionette(host="127.0.0.1", port=port)
            marionette.raise_for_port(timeout=PATIENCE)
            marionette.start_session()
            yield marionette
        finally:
            thunderbird.terminate()


def main() -> None:
    given = json.loads(sys.argv[1])
    given["ca"] = "".join(Path(given["ca"]).read_text().split("-----")[2].split())
    with running(given) as marionette:
        send(given, marionette)
    Path(sys.argv[2]).write_bytes(sent(Path("profile") / "Mail" / "Local Folders" / "Sent"))


def sent(folder: Path) -> bytes:
    """The one mail of the folder, without what Thunderbird notes on it and its last, empty line."""
    copies = mailbox.mbox(folder, create=False)
    (key,) = copies.keys()
    mail = re.sub(rb"\r?\n", b"\r\n", copies.get_bytes(key))
    return re.sub(rb"(?m)^X-Mozilla-[^\n]*\n", b"", mail).removesuffix(b"\r\n")


def send(given: dict[str, Any], marionette: Marionette) -> None:
    marionette.timeout.script = PATIENCE
    script = (HERE / "thunderbird.js").read_text()
    with marionette.using_context("chrome"):
        failure = marionette.execute_async_script(script, script_args=[given], new_sandbox=True)
    if failure:
        sys.exit(failure)


if __name__ == "__main__":
    main()
