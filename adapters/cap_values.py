"""Reads the single values of a CAP element and records what is odd about each.

Owns the repairs that need no knowledge of the alert around: blanks, lengths, spelling, times. Never
decides whether a document is refused.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

from adapters import cap_words as words
from adapters.document import Element, Findings, child, local_name, read_time
from adapters.xml_repair import FINGERPRINT
from schemas.alert import NamedValue

_LINE = 512
_PARAGRAPH = 8192


Index = dict[Element, dict[str, list[Element]]]
"""The children of elements by their local names; of an alert that is strewn over an entry, where they really stand."""


class Values:
    """Reads values into one document's findings; `zone_assumed` tells whether a time lacked its zone."""

    def __init__(self, findings: Findings, zone: tzinfo, index: Index | None = None) -> None:
        self.findings = findings
        self.zone = zone
        self.zone_assumed = False
        self._index: Index = dict(index or {})

    def fields(self, parent: Element) -> dict[str, list[Element]]:
        """Return an element's children by local name. An alert asks for forty names: one walk answers all."""
        found = self._index.get(parent)
        if found is None:
            found = self._index[parent] = by_name(parent)
            for name in [one for one in found if words.SPELLINGS.get(one.lower(), one) != one]:
                spelt = words.SPELLINGS[name.lower()]
                self.findings.warn_at("spelling", found[name][0], f"read as {spelt}")
                found.setdefault(spelt, []).extend(found.pop(name))
        return found

    def every(self, parent: Element, name: str) -> list[Element]:
        """Return the children of that name."""
        return self.fields(parent).get(name, [])

    def first(self, parent: Element, name: str) -> Element | None:
        """Return the first child of that name."""
        found = self.fields(parent).get(name)
        return found[0] if found else None

    def peek(self, parent: Element, name: str) -> str | None:
        """Return the text of a child on one line, and note nothing about it."""
        found = self.first(parent, name)
        return None if found is None else " ".join(content_of(found).split()) or None

    def _text(self, element: Element) -> str:
        text = element.text
        if len(element):
            self.findings.warn_at("markup", element, "elements within a text: only their text is read")
            text = content_of(element)
        if not text or text.isspace():
            self.findings.warn_at("empty-element", element, "an element without content: passed over")
        return text or ""

    def _cut(self, element: Element, text: str, limit: int) -> str | None:
        if len(text) > limit:
            self.findings.warn_at("cut", element, f"more than {limit} characters: the rest is not carried")
            text = text[:limit].strip()
        return text or None

    def line(self, parent: Element, name: str, limit: int = _LINE) -> str | None:
        """Return a child's text with runs of blanks made one."""
        found = self.first(parent, name)
        return None if found is None else self._line(found, limit)

    def _line(self, element: Element, limit: int = _LINE) -> str | None:
        return self._cut(element, " ".join(self._text(element).split()), limit)

    def lines(self, parent: Element, name: str) -> list[str]:
        """Return the texts of all children of that name."""
        return [text for element in self.every(parent, name) if (text := self._line(element)) is not None]

    def paragraph(self, parent: Element, name: str) -> str | None:
        """Return a child's text with its line breaks."""
        found = self.first(parent, name)
        return None if found is None else self._cut(found, self._text(found).strip(), _PARAGRAPH)

    def joined(self, parent: Element, name: str) -> str | None:
        """Return the texts of all children of that name as one."""
        return " ".join([" ".join(self._text(element).split()) for element in self.every(parent, name)]) or None

    def items(self, parent: Element, name: str) -> list[str]:
        """Return a list that stands in one element with blanks between (CAP 1.2, addresses and incidents)."""
        found = words.split_list(self.joined(parent, name) or "")
        if any(len(item) > _LINE for item in found):
            self.findings.warn_at("too-long", parent, f"an item of more than {_LINE} characters", name)
        return [item for item in found if len(item) <= _LINE]

    def choice(self, parent: Element, name: str, known: Sequence[str]) -> str | None:
        """Return the one word of a list that a child says; None and a warning where it is another."""
        found = self.choices(parent, name, known)
        return found[0] if found else None

    def choices(self, parent: Element, name: str, known: Sequence[str]) -> list[str]:
        """Return the words of a list that the children of that name say, each once."""
        result: list[str] = []
        for element in self.every(parent, name):
            given = self._line(element)
            found = words.word(given, known) if given else None
            if given and found is None:
                self.findings.warn_at("not-in-list", element, f"known are {', '.join(known)}")
            elif found != given:
                self.findings.warn_at("spelling", element, f"read as {found}")
            if found is not None and found not in result:
                result.append(found)
        return result

    def moment(self, parent: Element, name: str) -> datetime | None:
        """Return a child's time to the second, which is as exact as CAP is."""
        element = self.first(parent, name)
        given = self._line(element) if element is not None else None
        if given is None:
            return None
        found = read_time(given, self.zone)
        if found is None:
            self.findings.warn_at("time-form", element, "not a date-time (CAP 1.2, 3.3.2): not carried")
            return None
        moment, assumed = found
        if assumed:
            self.findings.warn_at("zone-assumed", element, "no offset: read in the configured zone")
            self.zone_assumed = True
        if moment.microsecond:
            self.findings.warn_at("fraction-cut", element, "CAP has no fractions of a second")
            moment = moment.replace(microsecond=0)
        offset = moment.utcoffset()
        if offset is not None and offset.total_seconds() % 60:
            # Local mean time of before there were zones: RFC 3339 cannot say it.
            moment = moment.astimezone(UTC) if moment.year > 1 else moment.replace(tzinfo=UTC)
        return moment

    def pairs(self, parent: Element, name: str) -> list[NamedValue]:
        """Return the pairs of `valueName` and `value` in all children of that name."""
        return [pair for element in self.every(parent, name) for pair in self.pairs_of(element)]

    def pairs_of(self, element: Element) -> list[NamedValue]:
        """Return an element's pairs: one by the standard, several in flattened feeds, `name=value` in CAP 1.0."""
        if not len(element):
            name, _, value = (element.text or "").partition("=")
            return self._pair(element, name, value)
        names, values = [], []
        for part in element:
            if (name := local_name(part)) == "value":
                values.append(part)
            elif name == "valueName":
                names.append(part)
        if len(names) != len(values):
            self.findings.warn_at("pair", element, "a valueName or value without its other half")
        return [
            pair
            for name, value in zip(names, values, strict=False)
            for pair in self._pair(element, content_of(name), content_of(value))
        ]

    def _pair(self, element: Element, name: str, value: str) -> list[NamedValue]:
        name, value = " ".join(name.split()), value.strip()
        if not name or not value:
            self.findings.warn_at("empty-element", element, "a pair without name or value: passed over")
            return []
        short = self._cut(element, name, _LINE), self._cut(element, value, _PARAGRAPH)
        return [NamedValue(value_name=short[0], value=short[1])] if short[0] and short[1] else []

    def shapes(
        self,
        parent: Element,
        name: str,
        form: Callable[[str], str | None],
        odd: Callable[[str], str | None] = lambda _: None,
    ) -> list[str]:
        """Return the legible polygons or circles; one cannot be cut, so a too long one is dropped."""
        result: list[str] = []
        for element in self.every(parent, name):
            given = self._text(element).strip()
            if not given:
                continue
            found = form(given)
            if found is None or len(found) > _PARAGRAPH:
                reason = "not legible" if found is None else f"more than {_PARAGRAPH} characters"
                self.findings.warn_at("shape", element, f"{reason}: not carried")
                continue
            if found != " ".join(given.split()):
                self.findings.warn_at("shape", element, "commas between pairs were taken out")
            if (warning := odd(found)) is not None:
                self.findings.warn_at("shape", element, warning)
            result.append(found)
        return result

    def feet(self, parent: Element, name: str) -> float | None:
        """Return an altitude or ceiling."""
        given = self.line(parent, name)
        found = words.decimal(given) if given is not None else None
        if given is not None and found is None:
            self.findings.warn_at("number", parent, "not a number of feet: not carried", name)
        return found

    def web(self, parent: Element, name: str) -> str | None:
        """Return a web address that can be written as an anyURI again."""
        given = self.line(parent, name, limit=4096)
        found = words.uri(given) if given is not None else None
        if given is not None and found != given:
            how = "not carried" if found is None else "escaped"
            self.findings.warn_at("web-form", parent, f"not a URI (RFC 3986): {how}", name)
        return found

    def resource(self, resource: Element) -> None:
        """Say what is not carried, and by what it can be found again in the native document (CAP 1.2, 3.2.3)."""
        detail, content = "it stays with the native document; nothing is fetched", None
        held = child(resource, "derefUri")
        if held is not None:
            said = "".join("".join(held.itertext()).split())
            try:
                content = None if said.startswith(FINGERPRINT) else base64.b64decode(said, validate=True)
                detail = f"it stays with the native document: {summary(content) if content else said[:80]}"
            except ValueError:
                self.findings.warn_at("base64", resource, "not base64 (RFC 4648)", "derefUri")
        self.findings.warn_at("resource-not-carried", resource, detail)
        digest = self.peek(resource, "digest")
        if content and digest is not None and not same_digest(digest, content):
            self.findings.warn_at("digest-mismatch", resource, "the SHA-1 of derefUri is another", "digest")


def by_name(element: Element) -> dict[str, list[Element]]:
    """Return an element's children by local name, in document order."""
    found: dict[str, list[Element]] = {}
    for one in element:
        found.setdefault(local_name(one), []).append(one)
    return found


def content_of(element: Element) -> str:
    """Return all text in an element; most have no other content, and are asked for thousands of times."""
    return "".join(element.itertext()) if len(element) else element.text or ""


def same_digest(given: str, content: bytes) -> bool:
    """Tell whether a SHA-1 (hexadecimal, or in base64 as some write it) is that of the content."""
    found = hashlib.sha1(content, usedforsecurity=False).digest()
    given = "".join(given.split())
    return given.lower() == found.hex() or given == base64.b64encode(found).decode()


def summary(content: bytes) -> str:
    """Return by what a content can be found again: its size and SHA-256."""
    return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}"
