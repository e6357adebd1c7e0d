"""Stands before the pipeline and remembers each mail as it was sent, for the comparison."""

from relay.demo.state import Demo
from relay.envelope import Envelope, Reply
from relay.header import read_fields, text_of, values
from relay.pipeline import Pipeline

KEPT = 200
MAX_ID = 998  # octets; no header line is longer


class Witness:
    """`accept` is the pipeline's own, watched."""

    def __init__(self, pipeline: Pipeline, demo: Demo) -> None:
        self._pipeline = pipeline
        self._submitted = demo.submitted

    async def accept(self, envelope: Envelope) -> Reply:
        fields = read_fields(envelope.content.head)
        if message_id := text_of(next(values(fields, b"message-id"), b""), MAX_ID):
            self._submitted[message_id] = envelope.content.read()
            if len(self._submitted) > KEPT:
                del self._submitted[next(iter(self._submitted))]
        return await self._pipeline.accept(envelope)
