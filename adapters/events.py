"""cbm's own CloudEvents as documents: one event, a JSON batch, or one a line (NDJSON); written singly.

Owns how events stand in a file. Never changes an event: its id, time and attributes stay its own.
"""

import json
from typing import Any

from adapters.document import Document, Origin
from adapters.translator import Draft, Reading, Translator
from schemas import Message, ReceiptMessage, parse
from schemas.errors import Fault, InvalidMessage, TranslationError

# Attributes that a draft has fields for, or that the frame fills in again.
_OWN = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}
)  # fmt: skip
MAX_EVENTS = 10_000


class CloudEvents:
    """The translator."""

    name = "cloudevents"
    title = "CloudEvents 1.0 of cbm"
    can_read = True
    can_write = True
    suffix = ".json"

    def recognise(self, document: Document) -> float:
        """Sure where the text is JSON and names the specification's version."""
        start = document.content[:1].strip() or document.content[:64].lstrip()[:1]
        if start not in (b"{", b"["):
            return 0.0
        return 0.95 if b'"specversion"' in document.content[:65536] else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read events; each must be valid and of the agency's own source."""
        faults: list[Fault] = []
        drafts: list[Draft] = []
        for number, body in enumerate(_split(document.content)):
            place = f"/{number}"
            try:
                message = parse(body)
            except InvalidMessage as error:
                faults.extend(Fault(f.code, place + f.pointer, f.detail) for f in error.faults)
                continue
            if message.source != origin.agency:
                faults.append(Fault("wrong-source", f"{place}/source", f"this adapter publishes as {origin.agency}"))
            elif isinstance(message, ReceiptMessage):
                faults.append(Fault("broker-only-type", f"{place}/type", "receipts are written by the broker only"))
            else:
                drafts.append(_draft(message))
        if faults:
            raise TranslationError(faults[:100])
        return Reading(tuple(drafts))

    def write(self, message: Message) -> bytes:
        """Write one event as compact JSON."""
        return message.to_bytes()


def _draft(message: Any) -> Draft:
    dumped = {name: getattr(message, name) for name in type(message).model_fields if name not in _OWN}
    attributes = {name: value for name, value in dumped.items() if value is not None} | (message.model_extra or {})
    return Draft(message.type, message.subject, message.time, message.data, attributes, id=message.id)


def _split(content: bytes) -> list[bytes]:
    """One event, the members of a batch, or lines."""
    try:
        whole = json.loads(content)
    except RecursionError:
        raise TranslationError([Fault("too-deep", "", "nested too deep")]) from None
    except ValueError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise TranslationError([Fault("not-json", "", str(error)[:200])]) from None
        return lines[:MAX_EVENTS]
    if isinstance(whole, list):
        return [json.dumps(event, ensure_ascii=False).encode() for event in whole[:MAX_EVENTS]]
    return [content]


TRANSLATORS: tuple[Translator, ...] = (CloudEvents(),)
