"""The formats there are, and which of them a document is, found by its content.

Owns the registry. Never reads a document beyond recognising it.
"""

from collections.abc import Sequence

from adapters import cap, dcsa, defra, edifact, ens, epcis, events, n42, ncts, onerecord, sps, wco
from adapters.document import Document
from adapters.translator import Translator
from schemas.errors import Fault, NotFound, TranslationError

FORMATS: dict[str, Translator] = {
    translator.name: translator
    for module in (wco, sps, cap, ens, ncts, defra, dcsa, epcis, n42, onerecord, events, edifact)
    for translator in module.TRANSLATORS
}
# Below this a document is of no known format rather than of the likeliest.
THRESHOLD = 0.5


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
    if not document.content.strip():
        raise TranslationError([Fault("empty", "", "the document is empty")])
    if document.looks_like_xml:
        document.xml  # noqa: B018 (says where it is not well-formed)
    known = ", ".join(t.name for t in candidates)
    raise TranslationError([Fault("unknown-format", "", f"none of the formats looked for: {known}")])
