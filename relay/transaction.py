"""One session with upstream, after its login: mail transactions, pipelined where that is offered.

The invariants. Replies are matched to commands by their order, and one that nobody waits for ends
the session. Nothing is sent unless every recipient was accepted, or some were and a part may go.
DATA goes ahead of the answers; where it is answered 354 though nothing is to be sent, the session
ends without a dot: the dot alone, which RFC 2920 §3.1 suggests, would deliver an empty message.
Any surprise or cancellation ends the session, so that no later transaction reads this one's
replies.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal

from relay import extensions, silence
from relay.answer import Answer, AnswerError, AnswerReader
from relay.content import Content
from relay.envelope import Copy, Outcome, Recipient, Withheld
from relay.transparency import Stuffing

CLOSING = 421
# Seconds in which a host must acknowledge an envelope. A session that was kept may have died since,
# and the mail goes over a fresh one then. Content may stand longer: a slow disk stops reading.
ENVELOPE_SILENCE = 15.0

Stage = Literal["envelope", "content", "end"]


class ConversationBroken(Exception):  # noqa: N818 - named for what happened
    """The session is over and the message is not settled.

    `stage` tells how far it came: "envelope": no content was sent; "content": no final dot was
    sent; "end": it was, so upstream may have the message or not (RFC 1047).
    """

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(f"{reason} (at {stage})")
        self.stage = stage
        self.reason = reason


class Conversation(asyncio.Protocol):
    """Takes over a transport on which greeting, TLS, EHLO and AUTH are done.

    `offers` are EHLO's keywords in lower case with their parameters; `host` is whom outcomes name.
    Time-outs in seconds. `stage` tells how far the transaction came, as in ConversationBroken.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        offers: Mapping[str, str],
        *,
        host: str,
        reply_timeout: float,
        data_timeout: float,
    ) -> None:
        self.is_open = True
        self._transport = transport
        self._offers = offers
        self._host = host
        self._reply_timeout = reply_timeout
        self._data_timeout = data_timeout
        self._reader = AnswerReader()
        self._answers: deque[Answer] = deque()
        self._due = 0
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.stage: Stage = "envelope"
        self._reason = "the connection was lost"
        transport.set_protocol(self)

    async def send(self, copy: Copy, *, partial: bool) -> tuple[Outcome, ...]:
        """One transaction; an outcome for each recipient, in their order.

        With `partial` it goes to those who are accepted, else to all or nobody.

        Raises ConversationBroken; the session is closed then, as after any other exception.
        """
        self.stage = "envelope"
        silence.allow(self._transport, ENVELOPE_SILENCE)
        try:
            return await self._transact(copy, partial=partial)
        except BaseException:
            self.abort(self._reason)
            raise

    def quit(self) -> None:
        """Says goodbye without waiting for the answer."""
        if self.is_open:
            self._transport.write(b"QUIT\r\n")
            self.is_open = False
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Ends the session now."""
        if self.is_open:
            self.is_open, self._reason = False, reason
            self._transport.abort()
        self._arrived.set()
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            answers = list(self._reader.feed(data))
        except AnswerError as error:
            return self.abort(f"upstream sent {error}")
        self._answers += answers
        self._due -= len(answers)
        if self._due < 0:  # mostly 421, before upstream closes an idle session
            self._due = 0
            return self.abort("upstream spoke unasked")
        self._arrived.set()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort("the connection was lost")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _transact(self, copy: Copy, *, partial: bool) -> tuple[Outcome, ...]:
        if extensions.lacks_utf8(copy, self._offers):
            return extensions.refuse_utf8(copy)
        ahead = "pipelining" in self._offers
        commands = extensions.envelope_commands(copy, self._offers)
        mail, *rcpts = await self._say([*commands, b"DATA\r\n"] if ahead else commands)
        data = rcpts.pop() if ahead else None
        if not mail.accepted or not (any if partial else all)(rcpt.accepted for rcpt in rcpts):
            await self._forget(data)
            return self._unsent(copy.recipients, mail, rcpts)
        if data is None:
            [data] = await self._say([b"DATA\r\n"])
        if data.code < 400 and data.code != 354:
            raise ConversationBroken(self.stage, f"upstream answered {data.code} to DATA")
        if data.code == 354:
            verdict = await self._content(copy.content)
        else:
            verdict = data
            await self._forget(data)
        said = [
            (recipient, verdict if rcpt.accepted else rcpt)
            for recipient, rcpt in zip(copy.recipients, rcpts, strict=True)
        ]
        return tuple(
            extensions.confirmed(answer.outcome(recipient, self._host), recipient, self._offers)
            for recipient, answer in said
        )

    async def _content(self, content: Content) -> Answer:
        """The content, the dot, and upstream's verdict; a refusal may come before the dot."""
        self.stage = "content"
        silence.allow(self._transport, self._reply_timeout)
        self._due = 1
        stuffing, last = Stuffing(), b""
        async with contextlib.aclosing(content.stream()) as chunks:
            async for chunk in chunks:
                await self._write(last)
                last = stuffing.feed(chunk)
                if self._answers or not self.is_open:
                    break
        if self.is_open and not self._answers:
            self.stage = "end"
            await self._write(last + stuffing.end())
        answer = await self._answer(self._data_timeout)
        if answer.code < 400 and (self.stage == "content" or not answer.accepted):
            raise ConversationBroken(self.stage, f"upstream answered {answer.code} to the message")
        if self.stage == "content" or answer.code == CLOSING:
            self.abort("upstream ended the session")
        return answer

    async def _forget(self, data: Answer | None) -> None:
        """Makes the session fit for the next transaction, or ends it."""
        if data is not None and data.code == 354:
            self.abort("upstream wants a message that has no recipient")
            return
        with contextlib.suppress(ConversationBroken):  # what was answered before still counts
            [answer] = await self._say([b"RSET\r\n"])
            if answer.accepted:
                return
        self.abort("upstream did not take RSET")

    def _unsent(
        self, recipients: Sequence[Recipient], mail: Answer, rcpts: Sequence[Answer]
    ) -> tuple[Outcome, ...]:
        """Outcomes where MAIL or some RCPT was not accepted, so that nothing was sent."""
        if not mail.accepted:
            return tuple(mail.outcome(recipient, self._host) for recipient in recipients)
        return tuple(
            Withheld(
                recipient=recipient.address,
                code=rcpt.code,
                ordinal=recipient.ordinal,
                host=self._host,
            )
            if rcpt.accepted
            else rcpt.outcome(recipient, self._host)
            for recipient, rcpt in zip(recipients, rcpts, strict=True)
        )

    async def _say(self, commands: Sequence[bytes]) -> list[Answer]:
        """The answers to the commands, which go in one flight where that is offered."""
        if "pipelining" in self._offers:
            return await self._flight(commands)
        return [answer for command in commands for answer in await self._flight([command])]

    async def _flight(self, commands: Sequence[bytes]) -> list[Answer]:
        self._due = len(commands)
        await self._write(b"".join(commands))
        answers = [await self._answer(self._reply_timeout) for _ in commands]
        for answer in answers:
            if answer.code == CLOSING:
                words = answer.text.decode("ascii")
                raise ConversationBroken(self.stage, f"upstream ended the session: {words}")
        return answers

    async def _answer(self, patience: float) -> Answer:
        if not self._answers:
            try:
                async with asyncio.timeout(patience):
                    await self._arrival()
            except TimeoutError:
                raise ConversationBroken(self.stage, "upstream did not answer in time") from None
        return self._answers.popleft()

    async def _arrival(self) -> None:
        while not self._answers:
            if not self.is_open:
                raise ConversationBroken(self.stage, self._reason)
            self._arrived.clear()
            await self._arrived.wait()

    async def _write(self, data: bytes) -> None:
        if self.is_open:
            self._transport.write(data)
        if self._writable.is_set():
            return
        try:
            async with asyncio.timeout(self._reply_timeout):
                await self._writable.wait()
        except TimeoutError:
            raise ConversationBroken(self.stage, "upstream stopped reading") from None
