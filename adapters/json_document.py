"""A JSON document: parsed with limits, and walked with its places named.

Owns what is common to formats in JSON: where a value is of another kind than its standard says, it is left out
with a warning that names the place. Never knows a particular format.
"""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from adapters.document import Document, Findings, Origin, read_time
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, TranslationError

# A text longer than the canonical one is cut.
MAX_TEXT = 512


# Not frozen, which makes a node take three times as long; a document has thousands.
@dataclass(eq=False, slots=True)
class Node:
    """An object of a JSON document, with its place (a JSON pointer) and where to note what is odd in it."""

    value: dict[str, Any]
    place: str
    findings: Findings

    def text(self, name: str) -> str | None:
        """Return a trimmed text; None where there is none. What is no text is left out with a warning."""
        value = self.value.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.warn("shape", name, "is a text in the standard; left out")
            return None
        return clean(value) or None

    def node(self, *names: str) -> "Node | None":
        """Follow names downwards; None where one is missing. What is no object is left out with a warning."""
        found: Node | None = self
        for name in names:
            if found is None or found.value.get(name) is None:
                return None
            value = found.value[name]
            if not isinstance(value, dict):
                found.warn("shape", name, "is an object in the standard; left out")
                return None
            found = Node(value, f"{found.place}/{name}", self.findings)
        return found

    def nodes(self, name: str) -> list["Node"]:
        """Return the objects of a list; empty where there is none. What is no object is left out with a warning."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.warn("shape", name, "is a list in the standard; left out")
            return []
        return list(self._members(value, name))

    def _members(self, values: list[Any], name: str) -> Iterator["Node"]:
        for number, value in enumerate(values):
            if isinstance(value, dict):
                yield Node(value, f"{self.place}/{name}/{number}", self.findings)
            else:
                self.warn("shape", f"{name}/{number}", "is an object in the standard; left out")

    def warn(self, code: str, name: str, detail: str) -> None:
        """Note something odd about a member."""
        self.findings.warn(code, f"{self.place}/{name}", detail)

    def fault(self, code: str, name: str, detail: str) -> None:
        """Note something for which the document is refused."""
        self.findings.fault(code, f"{self.place}/{name}" if name else self.place or "/", detail)

    @property
    def hopeless(self) -> bool:
        """Whether so much is wrong that looking further tells nothing new."""
        return len(self.findings.faults) >= MAX_FAULTS


def clean(value: str) -> str:
    """Return a text without outer blanks and halves of characters, cut to the canonical length."""
    if len(value) <= MAX_TEXT and value.isascii():
        return value.strip()
    whole = value[: MAX_TEXT * 2].strip()[:MAX_TEXT].rstrip()
    return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def load(document: Document) -> Any:
    """Parse a JSON document.

    Raises:
        TranslationError: it is no JSON text in UTF-8, nested too deep, or has numbers beyond reason.
    """
    try:
        return orjson.loads(document.content.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        # The standard library takes more (halves of characters), and says where it is wrong with what it does not.
        pass
    try:
        return json.loads(document.content.decode("utf-8-sig"), parse_constant=_no_number)
    except RecursionError:
        raise TranslationError([Fault("too-deep", "", "nested too deep")]) from None
    except ValueError as error:
        # Python's texts name the place and repeat nothing of the document.
        raise TranslationError([Fault("not-json", "", str(error)[:200])]) from None


def _no_number(_: str) -> None:
    raise ValueError("NaN and Infinity are no numbers in JSON (RFC 8259, section 6)")


def looks_like_json(document: Document) -> bool:
    """Whether the first character opens an object or an array."""
    return document.content[:256].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def moment(node: Node, name: str, origin: Origin, *, needed: bool = True) -> tuple[datetime, bool] | None:
    """Read a date-time or date; None, with a fault where it is needed, if it is missing or none."""
    stated = node.text(name)
    if stated is None:
        if needed:
            node.fault("missing", name, "the standard requires this time")
        return None
    found = read_time(stated, origin.zone)
    if found is None:
        detail = "not a date-time of RFC 3339"
        if needed:
            node.fault("time", name, detail)
        else:
            node.warn("time", name, detail)
    return found
