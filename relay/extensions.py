"""How an envelope is said to an upstream that offers this and that (its EHLO keywords). Pure.

What upstream does not offer is not asked for. That loses nothing of the mail but for UTF-8 in
addresses and headers, which cannot be said otherwise: such a mail is refused.
"""

from collections.abc import Collection, Sequence

from relay.envelope import Copy, Delivered, Outcome, Parameters, Recipient, Refused, Relayed


def envelope_commands(copy: Copy, offers: Collection[str]) -> list[bytes]:
    """MAIL and each RCPT, with CRLF; `offers` in lower case."""
    return [_mail(copy, offers), *(_rcpt(recipient, offers) for recipient in copy.recipients)]


def lacks_utf8(copy: Copy, offers: Collection[str]) -> bool:
    """Whether the copy needs SMTPUTF8, not just asks for it, and upstream has none."""
    if "smtputf8" in offers or b"SMTPUTF8" not in copy.parameters:
        return False
    addresses = (copy.mail_from, *(recipient.address for recipient in copy.recipients))
    return not all(map(bytes.isascii, (copy.content.head, *addresses)))


def refuse_utf8(copy: Copy) -> tuple[Outcome, ...]:
    """RFC 6531 §3.5: what needs UTF-8 cannot go to a server without it."""
    text = b"The next mail server takes no addresses or headers beyond ASCII"
    return tuple(
        Refused(
            recipient=recipient.address,
            code=553,
            enhanced="5.6.7",
            text=text,
            ordinal=recipient.ordinal,
        )
        for recipient in copy.recipients
    )


def confirmed(outcome: Outcome, recipient: Recipient, offers: Collection[str]) -> Outcome:
    """The outcome; Relayed where the sender wants to hear of success, and upstream will not say."""
    wants = (recipient.parameters.get(b"NOTIFY") or b"").upper().split(b",")
    if not isinstance(outcome, Delivered) or "dsn" in offers or b"SUCCESS" not in wants:
        return outcome
    return Relayed(
        recipient=outcome.recipient,
        code=outcome.code,
        enhanced=outcome.enhanced,
        text=outcome.text,
        ordinal=outcome.ordinal,
        host=outcome.host,
    )


def _mail(copy: Copy, offers: Collection[str]) -> bytes:
    words = [b"MAIL FROM:<%b>" % copy.mail_from]
    if "size" in offers:
        words.append(b"SIZE=%d" % copy.content.size)
    # By what the content is, not by what the client said. Without 8BITMIME upstream, 8-bit content
    # goes as it is: servers pass it on all the same, while re-encoding (RFC 6152 §3) would change
    # the bytes under signatures and refusing would lose the mail.
    if "8bitmime" in offers and not copy.content.is_ascii:
        words.append(b"BODY=8BITMIME")
    if "smtputf8" in offers and b"SMTPUTF8" in copy.parameters:
        words.append(b"SMTPUTF8")
    return b" ".join(words + _dsn(copy.parameters, (b"RET", b"ENVID"), offers)) + b"\r\n"


def _rcpt(recipient: Recipient, offers: Collection[str]) -> bytes:
    words = [b"RCPT TO:<%b>" % recipient.address]
    return b" ".join(words + _dsn(recipient.parameters, (b"NOTIFY", b"ORCPT"), offers)) + b"\r\n"


def _dsn(parameters: Parameters, names: Sequence[bytes], offers: Collection[str]) -> list[bytes]:
    """The DSN parameters as given (RFC 3461), where upstream knows them."""
    given = ((name, parameters.get(name)) for name in names)
    return [name + b"=" + value for name, value in given if value] if "dsn" in offers else []
