"""What programs without windows are told, ready to paste: settings files, commands, lines of code.

Pure. Whatever a login, address or password holds, each stays one value where it is put: every
language quotes its own way. None says what to track, for with *sticky* that would stay.
tests/clients/test_connect.py runs all of them.
"""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from collector.servers import Server

# What stands for the password until there is one.
PLACEHOLDER = "APP-PASSWORD"


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends where: the login, its password, and an address that it may write as."""

    server: Server
    login: str
    password: str
    address: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program's: its `name` and, where it is one, the `file` that it is a part of."""

    id: str
    name: str
    file: str
    text: str


def write(account: Account) -> tuple[Snippet, ...]:
    """All of them, in the order in which they are shown."""
    return tuple(Snippet(id_, name, file, make(account)) for id_, name, file, make in SNIPPETS)


def _python(account: Account) -> str:
    server, code = account.server, _json
    implicit = server.security == "implicit"
    context = ", context=ssl.create_default_context()" if implicit else ""
    connect = f"SMTP_SSL({code(server.host)}, {server.port}{context})"
    if not implicit:
        connect = f"SMTP({code(server.host)}, {server.port})"
    starttls = "    smtp.starttls(context=ssl.create_default_context())\n"
    return f"""\
{"import smtplib" if server.security == "none" else "import smtplib, ssl"}
from email.message import EmailMessage

mail = EmailMessage()
mail["From"] = {code(account.address)}
mail["To"] = {code(account.address)}
mail["Subject"] = "Hello"
# mail["X-Track"] = "no"  # leaves this mail untracked
mail.set_content("Hello")
mail.add_alternative("<p>Hello</p>", subtype="html")

with smtplib.{connect} as smtp:
{starttls if server.security == "starttls" else ""}\
    smtp.login({code(account.login)}, {code(account.password)})
    smtp.send_message(mail)
"""


def _node(account: Account) -> str:
    server, code = account.server, _json
    tls = {"none": "ignoreTLS: true", "starttls": "requireTLS: true", "implicit": "secure: true"}
    return f"""\
const nodemailer = require("nodemailer");

nodemailer
  .createTransport({{
    host: {code(server.host)},
    port: {server.port},
    {tls[server.security]},
    auth: {{ user: {code(account.login)}, pass: {code(account.password)} }},
  }})
  .sendMail({{
    from: {code(account.address)},
    to: {code(account.address)},
    subject: "Hello",
    text: "Hello",
    html: "<p>Hello</p>",
    // headers: {{ "X-Track": "no" }}, // leaves this mail untracked
  }});
"""


def _php(account: Account) -> str:
    server, code = account.server, _php_string
    secure = {"none": "''", "starttls": "'tls'", "implicit": "'ssl'"}[server.security]
    never = "$mail->SMTPAutoTLS = false;\n" if server.security == "none" else ""
    return f"""\
<?php // composer require phpmailer/phpmailer
require 'vendor/autoload.php';

$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isSMTP();
$mail->Host = {code(server.host)};
$mail->Port = {server.port};
$mail->SMTPSecure = {secure};
{never}$mail->SMTPAuth = true;
$mail->Username = {code(account.login)};
$mail->Password = {code(account.password)};
$mail->setFrom({code(account.address)});
$mail->addAddress({code(account.address)});
// $mail->addCustomHeader('X-Track', 'no'); // leaves this mail untracked
$mail->Subject = 'Hello';
$mail->isHTML();
$mail->Body = '<p>Hello</p>';
$mail->AltBody = 'Hello';
$mail->send();
"""


def _curl(account: Account) -> str:
    server, word = account.server, shlex.quote
    scheme = "smtps" if server.security == "implicit" else "smtp"
    tls = " --ssl-reqd" if server.security == "starttls" else ""
    url = f"{scheme}://{_in_url(server.host)}:{server.port}"
    # In a URL a login may have a colon, which --user would end it at.
    user = f"{quote(account.login, safe='')}:{quote(account.password, safe='')}"
    if ":" in account.login:
        url, login = url.replace("://", f"://{user}@"), ""
    else:
        login = f" --user {word(f'{account.login}:{account.password}')}"
    return f"""\
curl --url {word(url)}{tls}{login} \\
  --mail-from {word(account.address)} --mail-rcpt {word(account.address)} \\
  --crlf --upload-file - <<'MAIL'
From: {account.address}
To: {account.address}
Subject: Hello
Content-Type: text/html; charset=utf-8

<p>Hello</p>
MAIL
"""


def _swaks(account: Account) -> str:
    server, word = account.server, shlex.quote
    tls = {"none": "", "starttls": " --tls --tls-verify", "implicit": " --tlsc --tls-verify"}
    return f"""\
swaks --server {word(server.host)} --port {server.port}{tls[server.security]} \\
  --auth PLAIN --auth-user {word(account.login)} --auth-password {word(account.password)} \\
  --from {word(account.address)} --to {word(account.address)} \\
  --header 'Subject: Hello' --add-header 'Content-Type: text/html' \\
  --body '<p>Hello</p>'
"""


def _msmtp(account: Account) -> str:
    server, word = account.server, _msmtp_string
    tls = {
        "none": "auth login\ntls off",  # it would not say a password in clear by itself
        "starttls": "auth on\ntls on\ntls_starttls on",
        "implicit": "auth on\ntls on\ntls_starttls off",
    }
    return f"""\
account letterbell
host {word(server.host)}
port {server.port}
{tls[server.security]}
user {word(account.login)}
password {word(account.password)}
from {word(account.address)}

account letterbell-quiet : letterbell
user {word(f"{account.login}+no-track")}

account default : letterbell
"""


def _mutt(account: Account) -> str:
    server, word = account.server, _mutt_string
    scheme = "smtps" if server.security == "implicit" else "smtp"
    user = quote(account.login, safe="")
    url = f"{scheme}://{user}@{_in_url(server.host)}:{server.port}/"
    tls = "no" if server.security == "none" else "yes"
    return f"""\
set from = {word(account.address)}
set use_envelope_from = yes
set smtp_url = {word(url)}
set smtp_pass = {word(account.password)}
set ssl_starttls = {tls}
set ssl_force_tls = {tls}
set edit_headers = yes
"""


def _json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _php_string(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _msmtp_string(value: str) -> str:
    return f'"{value}"'  # it takes off one quote at each end, and knows no others


def _mutt_string(value: str) -> str:
    return '"' + "".join(f"\\{each}" if each in '"\\$`' else each for each in value) + '"'


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


SNIPPETS: tuple[tuple[str, str, str, Callable[[Account], str]], ...] = (
    ("python", "Python", "", _python),
    ("node", "Node.js", "", _node),
    ("php", "PHP", "", _php),
    ("curl", "curl", "", _curl),
    ("swaks", "swaks", "", _swaks),
    ("msmtp", "msmtp", "~/.msmtprc", _msmtp),
    ("mutt", "mutt", "~/.muttrc", _mutt),
)
