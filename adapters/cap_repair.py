"""What aggregators make of CAP alerts, put right: an encoding that is only claimed, fields as Atom categories.

Owns these two repairs. Never reads what an alert says.
"""

import re

from lxml import etree

from adapters import cap_words as words
from adapters import xml_repair
from adapters.document import Document, Element, Findings, local_name, parse_xml, text
from schemas.errors import TranslationError

# CAP's fields as terms of an Atom category, and the reference to the alert that a summary ends with.
_TERM = re.compile(r"(status|msgType|scope|language|category|event|responseType|urgency|severity|certainty)=(.+)")
_ORIGINAL = re.compile(r"CAP Alert:\s*([^,<]+),\s*([^,<]+),\s*([^,<\s]+)")
_DECLARED = re.compile(rb"(<\?xml[^>]*?)\s+encoding\s*=\s*[\"'][^\"']*[\"']")


def root_of(document: Document, findings: Findings) -> Element:
    """Return the root element; text that claims to be UTF-8 and is not is read as Windows-1252.

    Raises:
        TranslationError: it is not well-formed for another reason.
    """
    try:
        return document.xml
    except TranslationError as error:
        if not any("encod" in fault.detail.lower() or "UTF-8" in fault.detail for fault in error.faults):
            return xml_repair.root_of(document, findings)
        repaired = _recoded(document.content)
        if repaired is None:
            raise
        root = parse_xml(repaired)
        findings.warn("encoding", "line 1", "not in the encoding it says: read as Windows-1252")
        return root


def _recoded(content: bytes) -> bytes | None:
    """The content in UTF-8, where it says that it is and holds bytes that cannot be; None elsewhere."""
    declared = re.match(rb"\s*(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", content[:512])
    if declared is not None and declared[1].upper() not in (b"UTF-8", b"UTF8", b"US-ASCII", b"ASCII"):
        return None
    if b"\x00" in content[:512]:
        return None
    try:
        content.decode()
    except UnicodeDecodeError:
        # Five bytes of Windows-1252 mean nothing; what XML cannot hold is left out.
        decoded = _DECLARED.sub(rb"\1", content, count=1).decode("cp1252", "replace")
        return decoded.encode()
    return None


def from_categories(entry: Element) -> list[Element]:
    """CAP fields that stand as terms of Atom categories (`status=Actual`), with GeoRSS polygons as area.

    Canada's aggregator writes them so, and ends its summary with the alert's sender, time and identifier.
    """
    found = [
        (match[1], match[2].strip())
        for category in entry
        if local_name(category) == "category" and (match := _TERM.fullmatch((category.get("term") or "")[:512]))
    ]
    if not {"status", "msgType"} <= {name for name, _ in found}:
        return []
    summary = text(entry, "summary") or ""
    origin = _ORIGINAL.search(summary[-20_000:])
    if origin is not None:
        found += zip(("sender", "sent", "identifier"), (part.strip() for part in origin.groups()), strict=True)
    described = re.search(r"Area:\s*([^<]+)", summary)
    if described is not None:
        found.append(("areaDesc", described[1].strip()[:8192]))
    for polygon in entry:
        numbers = (polygon.text or "").split() if local_name(polygon) == "polygon" else []
        if numbers and len(numbers) % 2 == 0:
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            found.append(("polygon", " ".join(f"{north},{east}" for north, east in pairs)))
    made = []
    for name, value in found:
        element = _made(name, entry)
        element.text = value
        made.append(element)
    return made


def _made(name: str, origin: Element) -> Element:
    made: Element = etree.Element(f"{{{words.CAP}}}{name}")
    made.sourceline = origin.sourceline or 1
    return made
