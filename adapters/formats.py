"""The formats there are, which of them a document is, found by its content, and the documents in an e-mail.

Owns the registry. Never knows what a document says: its translator does.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters import cap, dcsa, defra, edifact, ens, epcis, events, n42, ncts, onerecord, sps, wco
from adapters.document import Document, Origin, local_name, namespace
from adapters.edifact_reader import message_types
from adapters.mail import attached, is_mail
from adapters.records import looks_like_json, parse_json
from adapters.translator import Translator, messages
from schemas import Message
from schemas.errors import Fault, NotFound, TranslationError

FORMATS: dict[str, Translator] = {
    translator.name: translator
    for module in (wco, sps, cap, ens, ncts, defra, dcsa, epcis, n42, onerecord, events, edifact)
    for translator in module.TRANSLATORS
}
# Below this a document is of no known format rather than of the likeliest.
THRESHOLD = 0.5
# cbm's own, in which every message can be written.
FALLBACK_FORMAT = "cloudevents"
# So much of a document tells its message types.
_HEAD_BYTES = 64 * 1024


def by_name(name: str) -> Translator:
    """Return a format's translator.

    Raises:
        NotFound: there is none; the text lists those there are.
    """
    found = FORMATS.get(name)
    if found is None:
        raise NotFound(f"there is no format {name}; known are {', '.join(sorted(FORMATS))}")
    return found


def names() -> list[str]:
    """Return the names of all formats."""
    return sorted(FORMATS)


def recognise(document: Document, among: Sequence[Translator] | None = None) -> tuple[Translator, float]:
    """Return the translator that knows the document best, and how sure it is.

    Raises:
        TranslationError: none of them knows it, or it is not well-formed XML.
    """
    candidates = [t for t in (among if among is not None else FORMATS.values()) if t.can_read]
    best, sure = None, 0.0
    for translator in candidates:
        confidence = translator.recognise(document)
        if confidence > sure:
            best, sure = translator, confidence
        if sure >= 1:
            break
    if best is not None and sure >= THRESHOLD:
        return best, sure
    raise TranslationError([_unknown(document, [t.name for t in candidates])])


# Names are told back only where they look like names.
_NAME = re.compile(r"[\w.:/#-]{1,120}", re.ASCII)


def _unknown(document: Document, among: Sequence[str]) -> Fault:
    """Say what a document is that is of none of these formats.

    Raises:
        TranslationError: it is neither well-formed XML nor JSON although it begins like it.
    """
    if not document.content.strip():
        return Fault("empty", "", "the document is empty")
    what = "none of the formats looked for"
    if document.looks_like_xml:
        root = document.xml
        named = [name for name in (local_name(root), namespace(root)) if _NAME.fullmatch(name)]
        what = f"XML with the root {' of '.join(named)}: {what}" if named else what
    elif looks_like_json(document):
        parse_json(document.content)
        what = f"JSON of {what}"
    elif types := [one for one in message_types(document.content[:_HEAD_BYTES]) if _NAME.fullmatch(one)]:
        what = f"UN/EDIFACT {', '.join(dict.fromkeys(types[:10]))}: {what}"
    return Fault("unknown-format", "", f"{what}: {', '.join(among)}")


@dataclass(frozen=True, slots=True)
class Found:
    """A document whose format is known: the one that was asked about, or one in an e-mail."""

    document: Document
    translator: Translator
    sure: float
    place: str = ""
    """Where in the e-mail."""


def documents_in(document: Document, among: Sequence[Translator] | None = None) -> list[Found]:
    """Return the document with its translator; of an e-mail, every document in it.

    Texts of an e-mail itself that are of no format are covering notes, and passed over where there is a document.

    Raises:
        TranslationError: as `recognise`; with the faults of every attachment that is of no format.
    """
    if not is_mail(document):
        return [Found(document, *recognise(document, among))]
    found: list[Found] = []
    faults: list[Fault] = []
    notes: list[Fault] = []
    for part in attached(document):
        inner = Document(part.content)
        try:
            found.append(Found(inner, *recognise(inner, among), part.place))
        except TranslationError as error:
            (notes if part.said else faults).extend(_within(part.place, error.faults))
    if faults or not found:
        raise TranslationError(faults or notes)
    return found


def read_all(found: Sequence[Found], origin_of: Callable[[Document], Origin]) -> list[list[Message]]:
    """Read each document into its messages; all of them or none.

    Raises:
        TranslationError: with the faults of every document that has some.
    """
    result: list[list[Message]] = []
    faults: list[Fault] = []
    for one in found:
        try:
            result.append(messages(one.translator, one.document, origin_of(one.document)))
        except TranslationError as error:
            faults += _within(one.place, error.faults)
    if faults:
        raise TranslationError(faults)
    return result


def _within(place: str, faults: Sequence[Fault]) -> list[Fault]:
    if not place:
        return list(faults)
    return [Fault(one.code, f"{place} > {one.pointer}" if one.pointer else place, one.detail) for one in faults]
