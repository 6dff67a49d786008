"""Where CAP alerts hide: in lists, Atom and RSS entries, EDXL-DE, as escaped text or in base64.

Owns finding alerts in what carries them, and the repair of an encoding that a document only claims. Never
reads what an alert says, and never follows a link.
"""

import base64
import binascii
import re
from collections.abc import Iterator

from lxml import etree

from adapters import cap_words as words
from adapters.document import (
    MAX_DOCUMENT_BYTES,
    Document,
    Element,
    Findings,
    child,
    local_name,
    namespace,
    parse_xml,
    text,
)
from schemas.errors import TranslationError

ATOM = "http://www.w3.org/2005/Atom"
CAP_NAMESPACES = ("urn:oasis:names:tc:emergency:cap:", "http://www.incident.com/cap/")
DISTRIBUTIONS = ("EDXLDistribution", "edxlDistribution")
# What may hold an alert as text: Atom, RSS, EDXL-DE 1.0 and 2.0.
_CARRIERS = ("content", "description", "encoded", "contentData", "embeddedXMLContent", "keyXMLContent")
_HEADER = ("identifier", "sender", "sent", "status", "msgType", "scope", "code", "note", "references", "incidents")
_AREA = ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling")
# Text inside text inside text is no feed that anybody publishes.
_MAX_UNWRAPPING = 2
_ALERT = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--[^>]*-->\s*)?<(?:[\w.-]+:)?alert[\s>]")
# CAP's fields as terms of an Atom category, and the reference to the alert that a summary ends with.
_TERM = re.compile(r"(status|msgType|scope|language|category|event|responseType|urgency|severity|certainty)=(.+)")
_ORIGINAL = re.compile(r"CAP Alert:\s*([^,<]+),\s*([^,<]+),\s*([^,<\s]+)")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_DECLARED = re.compile(rb"(<\?xml[^>]*?)\s+encoding\s*=\s*[\"'][^\"']*[\"']")


def is_cap(uri: str) -> bool:
    """Tell whether a name space is CAP's, also where it is misspelt."""
    return uri.startswith(CAP_NAMESPACES) or ("cap" in uri and "emergency" in uri)


def root_of(document: Document, findings: Findings) -> Element:
    """Return the root element; text that claims to be UTF-8 and is not is read as Windows-1252.

    Raises:
        TranslationError: it is not well-formed for another reason.
    """
    try:
        return document.xml
    except TranslationError as error:
        if not any("encod" in fault.detail.lower() or "UTF-8" in fault.detail for fault in error.faults):
            raise
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


def alerts(root: Element, findings: Findings, depth: int = 0) -> Iterator[Element]:
    """Yield every alert in document order; entries with CAP fields of their own become alerts."""
    if local_name(root) == "alert":
        yield root
        return
    names = [f"{{*}}{name}" for name in ("alert", "entry", "item", *_CARRIERS)]
    for element in root.iter(*names):
        name = local_name(element)
        if name == "alert":
            if not any(local_name(above) == "alert" for above in element.iterancestors()):
                yield element
        elif name in _CARRIERS:
            inner = _inside(element, findings, depth)
            if inner is not None:
                yield from alerts(inner, findings, depth + 1)
        elif not _holds_alert(element):
            flat = [field for field in element if is_cap(namespace(field))] or _from_categories(element)
            if flat:
                yield _from_entry(element, flat)
            elif name == "entry":
                findings.warn_at("no-alert", element, "an entry that holds no CAP alert, at most a link to one")


def _holds_alert(entry: Element) -> bool:
    """Whether a whole alert is in an entry, as elements or as text: it counts more than what is strewn around."""
    if next(entry.iter("{*}alert"), None) is not None:
        return True
    return any(_said(carrier) is not None for carrier in entry.iter(*(f"{{*}}{name}" for name in _CARRIERS)))


def _said(carrier: Element) -> str | None:
    """The text of an alert that a carrier holds escaped or in base64; None where it holds none."""
    found = carrier.text or ""
    if len(carrier) or not found.strip():
        return None
    if _ALERT.match(found[:4096].lstrip("\ufeff")):
        return found.lstrip("\ufeff \t\r\n")
    encoded = local_name(carrier) == "contentData" or (carrier.get("type") or "").endswith("cap+xml")
    if encoded and len(found) <= MAX_DOCUMENT_BYTES and _BASE64.fullmatch(found):
        try:
            decoded = base64.b64decode("".join(found.split()), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        return decoded.lstrip("\ufeff \t\r\n") if _ALERT.match(decoded[:4096].lstrip("\ufeff")) else None
    return None


def _inside(carrier: Element, findings: Findings, depth: int) -> Element | None:
    """The alert that a carrier holds as text; one that is illegible is told and passed over."""
    said = _said(carrier)
    if said is None:
        return None
    if depth == _MAX_UNWRAPPING:
        findings.warn_at("alert-not-read", carrier, "an alert as text inside text inside text")
        return None
    try:
        return parse_xml(re.sub(r"^<\?xml[^>]*\?>", "", said).encode("utf-8", "replace"))
    except TranslationError as error:
        for fault in error.faults:
            findings.warn_at("alert-not-read", carrier, f"{fault.code}: {fault.detail}")
        return None


def _from_categories(entry: Element) -> list[Element]:
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


def _from_entry(entry: Element, fields: list[Element]) -> Element:
    """Make an alert of an entry with CAP fields strewn into it; what Atom or RSS says itself fills the gaps.

    The entry's line is kept on every element, so that places still lead into the document.
    """
    names = {local_name(found) for found in fields}
    alert, info, area = (_made(name, entry) for name in ("alert", "info", "area"))
    own = {
        "identifier": text(entry, "id") or text(entry, "guid"),
        "sender": text(entry, "author", "name") or text(entry, "author"),
        "sent": text(entry, "updated") or text(entry, "published"),
    }
    for name, value in own.items():
        if name not in names and value is not None:
            etree.SubElement(alert, f"{{{words.CAP}}}{name}").text = value
    for found in fields:
        if len(found) == 0 and not (found.text or "").strip():
            continue
        name = local_name(found)
        copy = etree.SubElement(alert if name in _HEADER else area if name in _AREA else info, f"{{{words.CAP}}}{name}")
        copy.text = found.text
        copy.sourceline = found.sourceline
        for part in found:
            etree.SubElement(copy, f"{{{words.CAP}}}{local_name(part)}").text = "".join(part.itertext())
    summary = text(entry, "summary") or (text(entry, "description") if child(entry, "guid") is not None else None)
    for name, value in {"headline": text(entry, "title"), "description": summary}.items():
        if name not in names and value is not None:
            etree.SubElement(info, f"{{{words.CAP}}}{name}").text = value
    if len(area):
        info.append(area)
    alert.append(info)
    return alert


def _made(name: str, origin: Element) -> Element:
    made: Element = etree.Element(f"{{{words.CAP}}}{name}")
    made.sourceline = origin.sourceline or 1
    return made
