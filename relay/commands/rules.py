"""Every word by which something is left as it is, with a sentence for people.

docs/explain.md shows the same table; tests/relay/test_explain.py holds it against the rewriter's
own words.
"""

RULES = {
    # The whole mail.
    "tracking is off": "neither opens nor clicks are tracked in it",
    "nothing to track": "no part that is read holds a link to wrap or takes a pixel",
    "no HTML part": "no HTML is read with it that could hold a pixel, and none is made up",
    "signed": "a change would break its signature",
    "encrypted": "it is sealed, and opens only as it was sent",
    "S/MIME": "it is signed or encrypted, and a change would break it",
    "inline PGP": "its text is signed or encrypted, and a change would break it",
    "protected headers (RFC 9788)": "it belongs to a signed or encrypted mail",
    "carries a DKIM signature": "a change would break its signature",
    "carries an ARC set": "a change would break the seals of the servers that passed it on",
    "a delivery report": "it tells what became of another mail, as evidence",
    "a digest": "it holds mails of others",
    "an attached message": "a mail within a mail stays as its sender wrote it",
    "a minted URL is unusable": "the public URL has characters that cannot stand in a link",
    "internal error": "the rewriter failed, which is a bug of Letterbell: please report it",
    # A part of it.
    "attachment": "it is a file, or named like one, and not read with the mail",
    "embedded": "it belongs to another part, as pictures do",
    "no text": "only HTML and plain text are read",
    "plain text": "addresses in plain text stay unless text links are on",
    "charset": "its charset, of the kind of UTF-16 or UTF-7, hides where tags begin",
    "text ends in a shifted charset": "nothing can be put behind its last character",
    "NUL bytes": "no text holds zero bytes, and readers disagree on what they mean",
    "text too large": "it is larger than tracking.max_html",
    "too many attributes": "one of its tags has more attributes than any real one",
    # What is odd in a mail or a part.
    "malformed header": "a line of its header is no field, and readers disagree on what it means",
    "no blank line after the header": "nothing tells where its header ends",
    "two content-type fields": "readers disagree on which of them counts",
    "two content-transfer-encoding fields": "readers disagree on which of them counts",
    "two content-disposition fields": "readers disagree on which of them counts",
    "a Content-Type parameter given twice": "readers disagree on which of them counts",
    "unknown transfer encoding": "its Content-Transfer-Encoding is none that mail has",
    "malformed quoted-printable": "some of it is no quoted-printable, and readers guess",
    "malformed base64": "some of it is no base64, and readers guess",
    "encoded multipart": "a multipart must not be encoded as a whole (RFC 2045 §6.4)",
    "multipart without a boundary": "nothing tells where its parts begin",
    "multipart without its end": "its last boundary is missing: it may have been cut off",
    "multipart/related without its root": "the part that it names as its first is missing",
    "nested too deep": "it has parts within parts beyond all sense",
    # What the second reading found.
    "verification: a link is not where it should be": "the second reading did not find it",
    "verification: a link in a comment is not where it should be": (
        "the second reading did not find it"
    ),
    "verification: the pixel is not where it should be": "the second reading did not find it",
    "verification: the result cannot be read": "the second reading failed",
    "verification: the text changed elsewhere": "the second reading found more than was meant",
    # A link.
    "empty": "it leads nowhere",
    "fragment": "it leads to a place in the mail itself",
    "relative": "it names no site to lead to",
    "scheme": "only http and https links can be wrapped",
    "no host": "it names no host to lead to",
    "unreadable host": "its host is no host name",
    "user in URL": "it holds a login, which is between the reader and the site",
    "placeholder": "a mailing service fills it in later",
    "control character": "it holds a character that no URL may hold",
    "too long": "it is longer than 8,000 characters",
    "undecodable": "it is not in the charset that its part declares",
    "own host": "it leads to the collector itself",
    "unsubscribe": "it is the mail's own List-Unsubscribe address",
    "opt-out": "its own markup asks not to be tracked",
    "shows its URL": "its text is another site's address, and mail programs warn of the difference",
    "end unclear": "nothing tells where it ends in the text",
    "a bare CR at a delimiter": "mail programs differ on where its parts end",
    "carries a checksum": "a Content-MD5 would no longer fit a changed text",
    "too many links": "a mail has room for 65,536 tracked links",
    "line too long": "it would need a line of more than 998 characters",
    # The pixel.
    "own pixel": "a pixel of Letterbell is there already",
    "opens are off": "opens are not tracked in this mail",
    "clicks are off": "clicks are not tracked in this mail",
    "no sure place": "nowhere in its HTML would it surely be loaded and never be seen",
}
