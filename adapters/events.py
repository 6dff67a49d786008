"""cbm's own CloudEvents as documents: one event, a JSON batch, or one a line (NDJSON); written singly.

Owns how events stand in a file. Never changes an event: its id, time and attributes stay its own.
"""

import codecs
import json

from adapters.document import Document, Findings, Origin
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from schemas import Message, ReceiptMessage, parse
from schemas.envelope import MAX_FAULTS
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
        start = document.content[:256].removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        return 0.95 if start in (b"{", b"[") and b'"specversion"' in document.content else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read events; each must be valid and of the agency's own source, or none of them is read."""
        findings = Findings()
        drafts: list[Draft] = []
        bodies = _split(document.content, findings)
        if len(bodies) > MAX_EVENTS:
            findings.fault("too-many", "", f"{len(bodies)} events; one document has at most {MAX_EVENTS}")
            bodies = []
        for number, body in enumerate(bodies):
            draft = _draft(body, f"/{number}", findings, origin)
            if draft is not None:
                drafts.append(draft)
            if len(findings.faults) > MAX_FAULTS:
                findings.fault("more-faults", "", "further events were not looked at")
                break
        if not drafts and not findings.faults:
            findings.fault("empty", "", "there is no event in it")
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write one event as compact JSON."""
        return message.to_bytes()


def _draft(body: bytes, place: str, findings: Findings, origin: Origin) -> Draft | None:
    try:
        message = parse(body)
    except InvalidMessage as error:
        for fault in error.faults:
            findings.fault(fault.code, place + fault.pointer, fault.detail)
        return None
    if message.source != origin.agency:
        findings.fault("wrong-source", f"{place}/source", f"this adapter publishes as {origin.agency}")
        return None
    if isinstance(message, ReceiptMessage):
        findings.fault("broker-only-type", f"{place}/type", "receipts are written by the broker only")
        return None
    if message.signature is not None:
        text = (
            "a document's fingerprint is added here, which the signature does not cover; cbm publish sends it as it is"
        )
        findings.fault("signed-already", f"{place}/signature", text)
        return None
    dumped = {name: getattr(message, name) for name in type(message).model_fields if name not in _OWN}
    attributes = {name: value for name, value in dumped.items() if value is not None} | (message.model_extra or {})
    return Draft(message.type, message.subject, message.time, message.data, attributes, id=message.id)


def _split(content: bytes, findings: Findings) -> list[bytes]:
    """One event, the members of a batch, or lines: each as the bytes that stand there."""
    if content.startswith(codecs.BOM_UTF8):
        findings.warn("byte-order-mark", "/", "JSON is UTF-8 without a byte-order mark (RFC 8259, section 8.1)")
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
        whole = json.loads(text)
    except RecursionError:
        raise TranslationError([Fault("too-deep", "", "nested too deep")]) from None
    except ValueError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise TranslationError([Fault("not-json", "", str(error)[:200])]) from None
        return lines
    return _members(text) if isinstance(whole, list) else [content]


def _members(text: str) -> list[bytes]:
    """The members of a JSON array that is known to be one; parsing and writing them anew would hide what is odd."""
    decoder = json.JSONDecoder()
    found: list[bytes] = []
    position = _past(text, text.index("["))
    while text[position] != "]":
        _, end = decoder.raw_decode(text, position)
        found.append(text[position:end].encode())
        position = _past(text, end - 1)
        if text[position] == ",":
            position = _past(text, position)
    return found


def _past(text: str, position: int) -> int:
    """The next place after `position` that is no blank of JSON."""
    position += 1
    while text[position] in " \t\n\r":
        position += 1
    return position


TRANSLATORS: tuple[Translator, ...] = (CloudEvents(),)
