"""cbm's own CloudEvents as documents: one event, a JSON batch, or one a line (NDJSON); written singly.

Owns how events stand in a file. Never changes an event: its id, time and attributes stay its own. Events are
taken out of a file one after the other, so that what is held beside the file is what was made of them.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Iterator

from adapters.document import Document, Findings, Origin
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from schemas import AlertMessage, Message, ReceiptMessage, ShipmentMessage, parse
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, InvalidMessage, TranslationError

# Attributes that a draft has fields for, or that the frame fills in again.
_OWN = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}
)  # fmt: skip
# What an agency sends of a day; the size of the document mostly ends it sooner.
MAX_EVENTS = 100_000


class CloudEvents:
    """The translator; `max_events` is how many events one document may hold."""

    name = "cloudevents"
    title = "CloudEvents 1.0 of cbm"
    can_read = True
    can_write = True
    suffix = ".json"

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._max_events = max_events

    def recognise(self, document: Document) -> float:
        """Sure where the text is JSON and names the specification's version."""
        start = document.content[:256].removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        return 0.95 if start in (b"{", b"[") and b'"specversion"' in document.content else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read events; each must be valid and of the agency's own source, or none of them is read.

        An event that stands there twice is read once. Faults name the line, or the number in the batch.
        """
        findings = Findings()
        drafts: list[Draft] = []
        seen: dict[str, tuple[str, bytes]] = {}
        for number, (place, body) in enumerate(split(document.content, findings)):
            if number == self._max_events:
                findings.fault("too-many", place, f"one document has at most {self._max_events} events")
                break
            message = _event(body, place, findings, origin)
            if message is not None and _is_new(message, place, seen, findings):
                drafts.append(_draft(message))
            if len(findings.faults) > MAX_FAULTS:
                findings.fault("more-faults", place, "further events were not looked at")
                break
        if not drafts and not findings.faults:
            findings.fault("empty", "", "there is no event in it")
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write one event as compact JSON."""
        return message.to_bytes()


def _event(body: bytes, place: str, findings: Findings, origin: Origin) -> ShipmentMessage | AlertMessage | None:
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
    return message


def _is_new(message: Message, place: str, seen: dict[str, tuple[str, bytes]], findings: Findings) -> bool:
    """Tell whether an event is the first of its id (CloudEvents 1.0: source and id name one event)."""
    digest = hashlib.sha256(message.to_bytes()).digest()
    first, known = seen.setdefault(message.id, (place, digest))
    if first == place:
        return True
    if known == digest:
        findings.warn("repeated", place, f"the same event as at {first}: read once")
    else:
        findings.fault("id-reused", f"{place}/id", f"another event has this id at {first}")
    return False


def _draft(message: ShipmentMessage | AlertMessage) -> Draft:
    dumped = {name: getattr(message, name) for name in type(message).model_fields if name not in _OWN}
    attributes = {name: value for name, value in dumped.items() if value is not None} | (message.model_extra or {})
    return Draft(message.type, message.subject, message.time, message.data, attributes, id=message.id)


def split(content: bytes, findings: Findings) -> Iterator[tuple[str, bytes]]:
    """Yield one event, the members of a batch, or lines: the place of each, and the bytes that stand there."""
    start = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    if start:
        _warn_of_mark(findings, "/")
    first = _NOT_BLANK.search(content, start)
    if first is None:
        return
    if content[first.start() : first.end()] == b"[":
        yield from _members(_decoded(content[start:]))
    elif _is_lines(content, start):
        yield from _lines(content, start, findings)
    else:
        yield "", content[start:]


_NOT_BLANK = re.compile(rb"[^ \t\r\n]")
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")


def _warn_of_mark(findings: Findings, place: str) -> None:
    findings.warn("byte-order-mark", place, "JSON is UTF-8 without a byte-order mark (RFC 8259, section 8.1)")


def _is_lines(content: bytes, start: int) -> bool:
    """Tell one event a line from one event over several: by the first two lines that are not blank."""
    filled = (line[1].strip() for line in _LINE.finditer(content, start))
    first, second = (next((line for line in filled if line), b"") for _ in range(2))
    if not second:
        return False
    if second.removeprefix(codecs.BOM_UTF8).startswith(b"{"):
        # Within one event, only after these may an object stand on the next line.
        return not first.endswith((b"[", b":"))
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(content: bytes, start: int, findings: Findings) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(_LINE.finditer(content, start), start=1):
        body = line[1].strip()
        if body.startswith(codecs.BOM_UTF8):
            # Files that were put together keep the mark of each.
            _warn_of_mark(findings, f"line {number}")
            body = body.removeprefix(codecs.BOM_UTF8).strip()
        if body:
            yield f"line {number}", body


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TranslationError([Fault("not-json", "", f"not UTF-8 at byte {error.start}")]) from None


_BLANKS = re.compile(r"[ \t\n\r]*")


def _members(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield the members of an array; parsing and writing them anew would hide what is odd."""
    decoder = json.JSONDecoder()
    position = _past(text, text.index("[") + 1)
    number = 0
    while not (number == 0 and text[position : position + 1] == "]"):
        place = f"/{number}"
        try:
            _, end = decoder.raw_decode(text, position)
        except RecursionError:
            raise TranslationError([Fault("too-deep", place, "nested too deep")]) from None
        except json.JSONDecodeError as error:
            raise TranslationError([Fault("not-json", f"line {error.lineno}", f"{place}: {error.msg}")]) from None
        except ValueError:
            raise TranslationError([Fault("not-json", place, "a number that is too long")]) from None
        yield place, text[position:end].encode()
        position = _past(text, end)
        if text[position : position + 1] != ",":
            break
        position = _past(text, position + 1)
        number += 1
    if text[position : position + 1] != "]" or _past(text, position + 1) != len(text):
        line = text.count("\n", 0, position) + 1
        raise TranslationError([Fault("not-json", f"line {line}", "a batch ends with its one closing bracket")])


def _past(text: str, position: int) -> int:
    """The next place from `position` on that is no blank of JSON."""
    found = _BLANKS.match(text, position)
    return found.end() if found is not None else position


TRANSLATORS: tuple[Translator, ...] = (CloudEvents(),)
