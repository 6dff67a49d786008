"""What a translator is, and how its drafts become messages that are the same at every reading.

Owns the seam between formats and the wire: ids, times, fingerprints. Never reads a document itself.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from adapters.codelists import unknown_codes
from adapters.document import BARE_TYPE, Document, Findings, Origin
from adapters.profile import NEUTRAL, Profile
from schemas import Alert, Message, Shipment, build
from schemas.base import present
from schemas.envelope import ALERT_SCHEMA, SHIPMENT_SCHEMA
from schemas.errors import InvalidMessage, TranslationError
from schemas.shipment import Native, Remark

# The name space (RFC 9562, version 5) of ids that are made from a document's fingerprint.
_IDS = uuid.UUID("6f2c2c8e-6f3d-5a6c-9a53-1f0b7f1d2c11")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as a translator makes it: all but what depends on the adapter that runs it."""

    type: str
    subject: str
    time: datetime
    data: Shipment | Alert
    attributes: dict[str, Any] = field(default_factory=dict)
    """Further envelope attributes: tlp, recipients, expires, sequence, correlationid, causationid."""
    id: str | None = None
    """The message's id where the document gives it one; else it is made from the document's fingerprint."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one document says: its drafts in order, and what was odd about it."""

    drafts: tuple[Draft, ...]
    warnings: tuple[Remark, ...] = ()


class Translator(Protocol):
    """One format, pure: no I/O, no clock."""

    name: str
    """The format's name in cbm.toml and in `native.format`."""
    title: str
    """The format in words, for people."""
    can_read: bool
    can_write: bool
    suffix: str
    """What files of the format end in, with the dot."""

    def recognise(self, document: Document) -> float:
        """Say how sure it is, 0 to 1, that the document is of this format. Never raises."""
        ...

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read a document into drafts.

        Raises:
            TranslationError: with every fault, each naming place and rule.
        """
        ...

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write a message as a document that is valid under the format's own schema; same bytes every time.

        `profile` says under which codes.

        Raises:
            TranslationError: the format has no words for this message.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A translator that also reads a document while it comes in, in memory that does not grow with it."""

    def stream(self, chunks: Iterable[bytes], origin: Origin, findings: Findings | None = None) -> Iterator[Draft]:
        """Yield drafts in order; what is odd goes to `findings`.

        Raises:
            TranslationError: with every fault, after the drafts before it.
        """
        ...


def messages(translator: Translator, document: Document, origin: Origin) -> list[Message]:
    """Read a document into complete messages.

    The same bytes from the same agency with the same `origin.received` give the same messages to the
    last byte, so that whatever repeats the work after a crash repeats it as a duplicate.

    Raises:
        TranslationError: the document cannot be read, or what it holds makes no valid message.
    """
    reading = translator.read(document, origin)
    warnings = reading.warnings
    if document.has_bare_type and all(one.code != "document-type" for one in warnings):
        warnings = (Remark(code="document-type", pointer="line 1", detail=BARE_TYPE), *warnings)
    result: list[Message] = []
    for index, draft in enumerate(reading.drafts):
        id_ = draft.id or str(uuid.uuid5(_IDS, f"{origin.agency} {document.sha256} {index}"))
        native = Fingerprint(translator.name, document.sha256, len(document.content))
        result.append(complete(draft, id_, native, warnings, origin))
    return result


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Which document a message comes from."""

    format: str
    sha256: str
    size: int
    """Bytes."""


def complete(draft: Draft, id_: str, of: Fingerprint, warnings: Sequence[Remark], origin: Origin) -> Message:
    """Make the message of a draft, with what was odd about its document and its codes.

    Raises:
        TranslationError: what the draft holds makes no valid message.
    """
    warnings = [*warnings, *unknown_codes(draft.data, origin.codes)]
    native = Native(**present(format=of.format, sha256=of.sha256, size=of.size, warnings=warnings or None))
    span = hashlib.sha256(id_.encode()).hexdigest()[:16]
    attributes = {"traceparent": f"00-{of.sha256[:32]}-{span}-01"} | draft.attributes
    try:
        return build(
            specversion="1.0",
            id=id_,
            source=origin.agency,
            type=draft.type,
            subject=draft.subject[:256],
            time=draft.time,
            datacontenttype="application/json",
            dataschema=SHIPMENT_SCHEMA if isinstance(draft.data, Shipment) else ALERT_SCHEMA,
            data=draft.data.model_copy(update={"native": native}),
            **attributes,
        )
    except InvalidMessage as error:
        raise TranslationError(error.faults) from None


def with_warnings(reading: Reading, findings: Findings) -> Reading:
    """Return the reading with what was found odd added to it."""
    return replace(reading, warnings=(*reading.warnings, *findings.warnings))
