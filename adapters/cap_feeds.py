"""Finds the alerts of a document: bare, in lists, in Atom and RSS, in EDXL-DE 1.0 and 2.0, in any XML around them.

Owns where alerts hide and what their wrapper says of them. Never reads an alert's own fields, and never
follows a link: an entry that only points at an alert is told as such.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache

from lxml import etree

from adapters import cap_codes as codes
from adapters import cap_words as words
from adapters.cap_read import Wrapping
from adapters.cap_repair import from_categories
from adapters.cap_values import Index, by_name, content_of, same_digest, summary
from adapters.document import (
    MAX_WARNINGS,
    Document,
    Element,
    Findings,
    child,
    children,
    local_name,
    parse_xml,
    place_of,
)
from adapters.profile import Profile
from schemas import Tlp
from schemas.codes import AGENCY_PATTERN
from schemas.errors import Fault, TranslationError

ATOM = "http://www.w3.org/2005/Atom"
CAP_NAMESPACES = ("urn:oasis:names:tc:emergency:cap:", "http://www.incident.com/cap/")
_HEADER = words.ALERT - {"Signature"}
# An envelope says who may read and whether it is a test; these go on, the rest is told.
_NOT_OF_DISTRIBUTION = ("distributionReference", "keyword", "recipientRole", "senderRole", "targetArea")
_NO_WRAPPING = Wrapping()
_TEXTS = ("content", "encoded", "description")
_ALERT = re.compile(r"(?:<\?xml[^>]*\?>\s*)?(?:<!--[^>]*-->\s*)?<(?:[\w.-]+:)?alert[\s>]")


@dataclass(frozen=True, slots=True)
class Found:
    """One alert, what its wrapper says of it, and the place of the text that held it as a document of its own."""

    alert: Element
    wrapping: Wrapping = _NO_WRAPPING
    inside: str = ""
    index: Index | None = None
    """The alert's children, where they stand strewn over an entry."""


@lru_cache(maxsize=256)
def is_cap(uri: str) -> bool:
    """Tell whether a namespace is one of CAP's, or meant to be."""
    return uri.startswith(CAP_NAMESPACES) or ("cap" in uri and "emergency" in uri)


@lru_cache(maxsize=1024)
def _is_of_cap(tag: str) -> bool:
    return tag.startswith("{") and is_cap(tag[1:].partition("}")[0])


def is_distribution(root: Element) -> bool:
    """Tell whether a root element is EDXL-DE's: `EDXLDistribution` in 1.0, `edxlDistribution` in 2.0."""
    return local_name(root).lower() == "edxldistribution"


def find_alerts(root: Element, findings: Findings, profile: Profile) -> Iterator[Found]:
    """Yield every alert in document order; what holds none is a warning, what is illegible a fault."""
    if local_name(root) == "alert":
        yield Found(root)
        return
    if children(root, "Signature"):
        findings.warn_at("signature-not-verified", root, "the wrapper is signed; its signature was not verified")
    if is_distribution(root):
        yield from _in_distribution(root, findings, profile)
    else:
        yield from _in_feed(root, findings)


def _outermost(root: Element) -> Iterator[Element]:
    return (alert for alert in root.iter("{*}alert") if next(alert.iterancestors("{*}alert"), None) is None)


def _in_feed(root: Element, findings: Findings) -> Iterator[Found]:
    rss = local_name(root) in ("rss", "RDF")
    senders: dict[Element, Element | None] = {}
    for element in root.iter("{*}alert", "{*}entry", "{*}item"):
        kind = local_name(element)
        if kind == "alert":
            if next(element.iterancestors("{*}alert"), None) is None:
                yield Found(element)
        elif next(element.iter("{*}alert"), None) is None:
            flat = [field for field in element if _is_of_cap(field.tag)] or from_categories(element)
            # A whole alert counts more than what is strewn around it.
            if flat and not _holds_text(element):
                yield _from_entry(element, flat, senders)
            elif kind == "entry" or rss or flat:
                yield from _in_text(element, findings)


def _holds_text(entry: Element) -> bool:
    """Tell whether an entry holds an alert as escaped text."""
    texts = ("".join(host.itertext()).lstrip()[:4096] for host in entry if local_name(host) in _TEXTS)
    return any(_ALERT.match(text) is not None for text in texts)


def _in_text(entry: Element, findings: Findings) -> Iterator[Found]:
    """Yield the alerts that an entry holds as escaped or base64 text (RFC 4287, 4.1.3.3; RSS content and CDATA)."""
    held = False
    for name in _TEXTS:
        for host in children(entry, name):
            text = "".join(host.itertext()).strip()
            content = None
            if text.startswith("<") and "alert" in text:
                # Escaped text has the encoding of the document around it, whatever its own heading says.
                content = _XML_HEADING.sub("", text).encode()
            elif "cap+xml" in (host.get("type") or "") and text:
                content = _decoded(host, text, findings)
            if content is not None and (name == "content" or b"<alert" in content or b":alert" in content):
                held = True
                yield from _embedded(host, content, findings, _NO_WRAPPING)
    if held:
        return
    if child(entry, "link") is not None or child(entry, "enclosure") is not None or _source(entry) is not None:
        findings.warn_at("link-only", entry, "an entry that only links to an alert: nothing is fetched")
    else:
        findings.warn_at("no-alert", entry, "an entry with neither an alert nor a link to one")


_XML_HEADING = re.compile(r"^<\?xml[^>]*\?>")


def _source(entry: Element) -> str | None:
    content = child(entry, "content")
    return None if content is None else content.get("src")


def _decoded(host: Element, text: str, findings: Findings) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        _refuse(host, [Fault("base64", "", "not base64 (RFC 4648)")], findings)
        return None


def _refuse(host: Element, faults: Sequence[Fault], findings: Findings) -> None:
    """Note what is wrong with a text; as with warnings, places are only worked out for as many as people read."""
    if len(findings.faults) < MAX_WARNINGS:
        place = place_of(host)
        for one in faults:
            findings.fault(one.code, f"{place} > {one.pointer}" if one.pointer else place, one.detail)
    elif findings.faults[-1].code != "more-faults":
        findings.fault("more-faults", "", "further entries are not told")


def _embedded(host: Element, content: bytes, findings: Findings, wrapping: Wrapping) -> Iterator[Found]:
    """Yield the alerts of a document within a document, parsed under the same limits."""
    try:
        root = parse_xml(content)
    except TranslationError as error:
        _refuse(host, error.faults, findings)
        return
    place = ""
    for alert in _outermost(root):
        place = place or place_of(host)
        yield Found(alert, wrapping, place)
    if not place:
        findings.warn_at("no-alert", host, "a document within the document that is no CAP alert")


def _in_distribution(root: Element, findings: Findings, profile: Profile) -> Iterator[Found]:
    """Yield the alerts of EDXL-DE's content objects, embedded or in base64; each with its own confidentiality."""
    base = _distribution(root, findings, profile)
    wrappings: dict[Element | None, Wrapping] = {None: base}
    for holder in root.iter("{*}contentObject"):
        marked = tuple(_marking(one, findings, profile) for one in children(holder, "confidentiality"))
        wrappings[holder] = replace(base, markings=base.markings + marked)
        if next(holder.iter("{*}alert", "{*}contentData"), None) is None:
            linked = next(holder.iter("{*}uri"), None) is not None
            code, what = ("link-only", "only links to its content: nothing is fetched") if linked else (
                "no-alert", "holds no CAP alert")  # fmt: skip
            findings.warn_at(code, holder, f"a content object that {what}")
    for element in root.iter("{*}alert", "{*}contentData"):
        wrapping = wrappings[next(element.iterancestors("{*}contentObject"), None)]
        if local_name(element) == "alert":
            if next(element.iterancestors("{*}alert"), None) is None:
                yield Found(element, wrapping)
            continue
        content = _decoded(element, "".join(element.itertext()), findings)
        if content is None:
            continue
        digest = child(element.getparent(), "digest")
        if digest is not None and not same_digest("".join(digest.itertext()), content):
            findings.warn_at("digest-mismatch", element, "its SHA-1 is not the digest that is given")
        if Document(content).looks_like_xml:
            yield from _embedded(element, content, findings, wrapping)
        else:
            detail = f"no XML, stays with the native document: {summary(content)}"
            findings.warn_at("content-not-carried", element, detail)


def _marking(element: Element, findings: Findings, profile: Profile) -> Tlp:
    marking = codes.confidentiality(profile, "".join(element.itertext()))
    if marking is None:
        findings.warn_at("confidentiality", element, "not a known marking: AMBER+STRICT, the safe side")
    return marking or Tlp.AMBER_STRICT


def _distribution(root: Element, findings: Findings, profile: Profile) -> Wrapping:
    """Read what EDXL-DE says of all its content: confidentiality, status, addressees."""
    outside = [e for e in root.iter("{*}combinedConfidentiality", "{*}confidentiality", "{*}explicitAddress")
               if next(e.iterancestors("{*}contentObject"), None) is None]  # fmt: skip
    markings = [_marking(e, findings, profile) for e in outside if local_name(e) != "explicitAddress"]
    addressed = [
        "".join(value.itertext()).strip().lower()
        for address in outside
        if local_name(address) == "explicitAddress"
        for value in address.iter("{*}explicitAddressValue")
    ]
    if any(re.match(AGENCY_PATTERN, one) is None for one in addressed):
        findings.warn_at("address-not-an-agency", root, "cannot be delivered to", "explicitAddress")
    if lost := [name for name in _NOT_OF_DISTRIBUTION if next(root.iter(f"{{*}}{name}"), None) is not None]:
        findings.warn_at("wrapper-not-carried", root, f"stays with the native document: {', '.join(lost)}")
    status = child(root, "distributionStatus")
    said = "" if status is None else "".join(status.itertext()).strip()
    return Wrapping(
        markings=tuple(markings), recipients=tuple(addressed), test=words.word(said, ("Test", "Exercise")) is not None
    )


@lru_cache(maxsize=256)
def _tag(name: str) -> str:
    return f"{{{words.CAP}}}{name}"


def _from_entry(entry: Element, fields: list[Element], senders: dict[Element, Element | None]) -> Found:
    """Make an alert of an entry with CAP fields strewn into it; what Atom or RSS says itself fills the gaps.

    The fields stay where they are, so that places lead into the document; the alert knows them by name.
    `senders` keeps what feeds say of the sender of all their entries, so that each is only asked once.
    """
    names = {local_name(found) for found in fields}
    alert, info, area = (_made(name, entry) for name in ("alert", "info", "area"))
    index: Index = {alert: {}, info: {}, area: {}}
    atom, own = local_name(entry) == "entry", by_name(entry)
    for name, said in (_atom_header if atom else _rss_header)(entry, own):
        if name not in names and said is not None:
            index[alert][name] = [said]
    if "sender" not in names and "sender" not in index[alert] and (feed := entry.getparent()) is not None:
        if feed not in senders:
            senders[feed] = _sender_of(feed, atom=atom)
        if (sender := senders[feed]) is not None:
            index[alert]["sender"] = [sender]
    _strew(fields, index, alert, info, area)
    if "info" not in names:
        for name, given in (("headline", "title"), ("description", "summary" if atom else "description")):
            if name not in names and (said := _first(own, given)) is not None:
                # A summary may hold markup, which is no oddity there, and its line breaks mean nothing.
                index[info][name] = [_made(name, entry, " ".join(content_of(said).split()))]
    _join(index, alert, info, area)
    if not index[info] and "info" not in names:
        index[alert]["info"] = [info]
    return Found(alert, index=index)


def flattened(alert: Element, findings: Findings) -> Index | None:
    """Return an alert's fields where those of its info block stand in the alert itself; None where they do not."""
    fields = list(alert)
    names = {local_name(field) for field in fields}
    if "info" in names or not names & (words.INFO | words.AREA):
        return None
    findings.warn_at("flattened", alert, "the fields of its info block stand in the alert itself: read as if in one")
    info, area = _made("info", alert), _made("area", alert)
    index: Index = {alert: {}, info: {}, area: {}}
    _strew(fields, index, alert, info, area)
    _join(index, alert, info, area)
    return index


def _strew(fields: list[Element], index: Index, alert: Element, info: Element, area: Element) -> None:
    """Give each field to the block that it is of; what says nothing is no field."""
    for found in fields:
        if len(found) == 0 and not (found.text or "").strip():
            continue
        name = local_name(found)
        holder = alert if name in _HEADER or name == "Signature" else area if name in words.AREA else info
        index[holder].setdefault(name, []).append(found)


def _join(index: Index, alert: Element, info: Element, area: Element) -> None:
    if index[area]:
        index[info].setdefault("area", []).append(area)
    if index[info]:
        index[alert].setdefault("info", []).append(info)


def _first(named: dict[str, list[Element]], *names: str) -> Element | None:
    """Return the first of the elements that bear the first of these names, if it says anything."""
    for name in names:
        found = named.get(name)
        if found and content_of(found[0]).strip():
            return found[0]
    return None


def _atom_header(entry: Element, own: dict[str, list[Element]]) -> Iterator[tuple[str, Element | None]]:
    """RFC 4287: an entry's id, author and time."""
    yield "identifier", _first(own, "id")
    yield "sent", _first(own, "updated", "published")
    author = child(entry, "author", "name")
    yield "sender", author if author is not None and content_of(author).strip() else None


def _rss_header(item: Element, own: dict[str, list[Element]]) -> Iterator[tuple[str, Element | None]]:
    """RSS 2.0: an item's guid or link, author and RFC 822 date."""
    yield "identifier", _first(own, "guid", "link")
    date = _first(own, "pubDate", "date")
    yield "sent", None if date is None else _made("sent", date, _iso(" ".join(content_of(date).split())))
    yield "sender", _first(own, "author", "creator")


def _sender_of(feed: Element, *, atom: bool) -> Element | None:
    """The sender of the entries that name none: the feed's author (RFC 4287, 4.2.1), the channel's editor or title."""
    for path in (("author", "name"),) if atom else (("managingEditor",), ("title",)):
        found = child(feed, *path)
        if found is not None and content_of(found).strip():
            return found
    return None


def _iso(value: str) -> str:
    """An RFC 822 date as ISO 8601, without an offset where it says none (-0000); other texts as they are."""
    try:
        return parsedate_to_datetime(value).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return value


def _made(name: str, origin: Element, said: str | None = None) -> Element:
    """An element that is not in the document; its line is that of what it was made of."""
    made: Element = etree.Element(_tag(name))
    made.sourceline = origin.sourceline or 1
    made.text = said
    return made
