"""What is pasted into programs: one value stays one value, whatever it holds.

tests/clients/test_connect.py runs all of it; here each language's own reader judges the quoting.
"""

import ast
import json
import re
import shlex
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.pages.snippets import PLACEHOLDER, SNIPPETS, Account, write
from collector.servers import Security, Server

SECURITIES: tuple[Security, ...] = ("none", "starttls", "implicit")
# A login is any printable text without blanks at its ends (collector/senders.py).
LOGINS = (
    st.text(min_size=1, max_size=50).map(str.strip).filter(lambda each: each.isprintable() and each)
)


def account(
    login: str = "ana", security: Security = "starttls", host: str = "h.example"
) -> Account:
    return Account(Server(host, 587, security), login, "secret-word", "o'hara@example.com")


def texts(given: Account) -> dict[str, str]:
    return {each.id: each.text for each in write(given)}


def test_each_is_shown_once_and_ends_with_a_line_end() -> None:
    written = write(account())
    assert len({each.id for each in written}) == len(SNIPPETS) == 7
    for each in written:
        assert each.text.endswith("\n")
        assert "secret-word" in each.text
        assert PLACEHOLDER not in each.text
        assert "h.example" in each.text
        assert "587" in each.text


@given(LOGINS)
def test_python_reads_what_was_written(login: str) -> None:
    tree = ast.parse(texts(account(login))["python"])
    (call,) = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == "login"
    ]
    assert [ast.literal_eval(each) for each in call.args] == [login, "secret-word"]


@given(LOGINS, st.sampled_from(SECURITIES))
def test_shells_read_what_was_written(login: str, security: Security) -> None:
    written = texts(account(login, security))
    swaks = shlex.split(written["swaks"])
    assert swaks[swaks.index("--auth-user") + 1] == login
    assert swaks[swaks.index("--from") + 1] == "o'hara@example.com"
    curl = shlex.split(written["curl"].partition("<<")[0])
    if ":" in login:
        assert "--user" not in curl
    else:
        assert curl[curl.index("--user") + 1] == f"{login}:secret-word"
    assert curl[curl.index("--mail-from") + 1] == "o'hara@example.com"


@given(LOGINS)
def test_node_reads_what_was_written(login: str) -> None:
    (found,) = re.findall(r"auth: \{ user: (.*), pass: (.*) \},", texts(account(login))["node"])
    assert [json.loads(each) for each in found] == [login, "secret-word"]


@given(LOGINS)
def test_settings_stay_one_line_each(login: str) -> None:
    """Neither msmtp nor mutt nor PHP sees the end of a value before its last character."""
    written = texts(account(login))
    (user, quiet) = re.findall(r'^user "(.*)"$', written["msmtp"], re.MULTILINE)
    assert (user, quiet) == (login, f"{login}+no-track")
    (php,) = re.findall(r"^\$mail->Username = '(.*)';$", written["php"], re.MULTILINE)
    assert re.fullmatch(r"(?:[^'\\]|\\['\\])*", php)
    assert re.sub(r"\\(['\\])", r"\1", php) == login
    (url,) = re.findall(r'^set smtp_url = "(.*)"$', written["mutt"], re.MULTILINE)
    assert re.fullmatch(r'(?:[^"\\$`]|\\["\\$`])*', url)


@pytest.mark.parametrize(
    ("security", "host"), list(product(SECURITIES, ["h.example", "2001:db8::1"]))
)
def test_what_each_says_of_tls(security: Security, host: str) -> None:
    said = {
        "none": (
            *('smtplib.SMTP("', "ignoreTLS: true", "SMTPSecure = ''", "smtp://"),
            *("--port 587 ", "tls off", "set ssl_force_tls = no"),
        ),
        "starttls": (
            *("smtp.starttls(context=ssl", "requireTLS: true", "SMTPSecure = 'tls'", "--ssl-reqd"),
            *(" --tls --tls-verify ", "tls on\ntls_starttls on", "set ssl_force_tls = yes"),
        ),
        "implicit": (
            *("context=ssl", "secure: true", "SMTPSecure = 'ssl'", "smtps://"),
            *(" --tlsc --tls-verify ", "tls on\ntls_starttls off", "smtps://"),
        ),
    }
    for each, words in zip(
        write(account(security=security, host=host)), said[security], strict=True
    ):
        assert words in each.text
    in_url = f"[{host}]" if ":" in host else host
    assert f"//{in_url}:587" in texts(account(security=security, host=host))["curl"]
