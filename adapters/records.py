"""Records: a document as named fields inside each other, whether it is XML or JSON.

Owns reading JSON under limits, and one way to ask both for a field and for its place. Never knows a format,
and never follows a reference out of the document.
"""

import codecs
import functools
import json
import re
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from adapters.document import MAX_DEPTH, MAX_MARKUP, Document, Findings, local_name, place_of
from schemas.errors import Fault, TranslationError

# What JSON can hold and no message may: control characters, and halves of characters.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NAME_CHARACTERS = 128
# Bytes that neither separate values nor open what holds some.
_UNMARKED = bytes(set(range(256)) - set(b",[{"))
_NESTED = frozenset({dict, list})
_BLANK_AROUND = re.compile(r"^\s|\s$")
_JSON: "WeakKeyDictionary[Document, Any]" = WeakKeyDictionary()


def looks_like_json(document: Document) -> bool:
    """Tell whether the first character, in whatever encoding, opens an object or an array."""
    start = document.content[:64].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start[:1] in (b"{", b"[")


def json_of(document: Document) -> Any:
    """Return the document's JSON, parsed once; every number is the text that stands there.

    Raises:
        TranslationError: it is no JSON, of too many values, or nested too deep.
    """
    if document not in _JSON:
        _JSON[document] = parse_json(document.content)
    return _JSON[document]


def parse_json(content: bytes | str) -> Any:
    """Parse JSON text; see `json_of` for what is raised."""
    raw = content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
    marks = raw.translate(None, _UNMARKED)
    nested = marks.count(b"[") + marks.count(b"{")
    if nested + marks.count(b",") > MAX_MARKUP:
        raise TranslationError([Fault("too-much-markup", "", f"more than {MAX_MARKUP} values")])
    try:
        text = content.decode(json.detect_encoding(content)) if isinstance(content, bytes) else content
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        raise TranslationError([Fault("too-deep", "", f"more than {MAX_DEPTH} levels")]) from None
    except UnicodeDecodeError as error:
        raise TranslationError([Fault("encoding", f"byte {error.start}", "JSON is UTF-8 (RFC 8259)")]) from None
    except ValueError as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise TranslationError([Fault("not-json", place, str(error)[:200])]) from None
    if nested > MAX_DEPTH:
        _check_depth(found)
    return found


def _check_depth(value: Any) -> None:
    level = [value] if type(value) in _NESTED else []
    for _ in range(MAX_DEPTH):
        level = [
            inner for one in level for inner in (one.values() if type(one) is dict else one) if type(inner) in _NESTED
        ]
        if not level:
            return
    raise TranslationError([Fault("too-deep", "", f"more than {MAX_DEPTH} levels")])


def has_byte_order_mark(document: Document) -> bool:
    """Tell whether UTF-8 text begins with a mark that JSON does not have (RFC 8259, section 8.1)."""
    return document.content.startswith(codecs.BOM_UTF8)


def fold(name: str) -> str:
    """Return a name as dialects agree on it: letters and digits, in lower case."""
    # A document has some hundred names, many times each; only names of a sane length are kept.
    return _fold(name) if len(name) <= _NAME_CHARACTERS else _fold.__wrapped__(name)


@functools.lru_cache(maxsize=4096)
def _fold(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


class Record:
    """An XML element or a JSON value. Names are compared by `fold`; what is odd in a text goes into `findings`."""

    __slots__ = ("_fields", "_pointer", "findings", "value")

    def __init__(self, value: Any, findings: Findings, pointer: str = "") -> None:
        self.value = value
        self.findings = findings
        self._pointer = pointer
        self._fields: dict[str, list[tuple[str, Any]]] | None = None

    @property
    def is_xml(self) -> bool:
        """Whether it stands in an XML document."""
        return hasattr(self.value, "tag")

    @property
    def place(self) -> str:
        """Where it stands: XPath and line, or JSON pointer."""
        return place_of(self.value) if self.is_xml else self._pointer or "/"

    def names(self) -> set[str]:
        """Return the folded names of its fields."""
        return set(self._named())

    def members(self) -> list["Record"]:
        """Return the members of a JSON array."""
        if not isinstance(self.value, list):
            return []
        return [Record(one, self.findings, f"{self._pointer}/{at}") for at, one in enumerate(self.value)]

    def all(self, *names: str) -> list["Record"]:
        """Return the fields of any of these names; of a JSON array, its members."""
        found: list[Record] = []
        for name in names:
            for pointer, value in self._named().get(fold(name), ()):
                field = Record(value, self.findings, pointer)
                found.extend(field.members() if isinstance(value, list) else [field])
        return found

    def first(self, *names: str) -> "Record | None":
        """Return the first field of any of these names that is not null."""
        for name in names:
            for pointer, value in self._named().get(fold(name), ()):
                if value is not None:
                    return Record(value, self.findings, pointer)
        return None

    def under(self, *path: str) -> "Record | None":
        """Follow names downwards; None where one is missing."""
        found: Record | None = self
        for name in path:
            found = found.first(name) if found is not None else None
        return found

    def text(self, *names: str, limit: int = 512) -> str | None:
        """Return the text of the first of these fields that has one: trimmed, on one line, cut to `limit`.

        Blanks around it (Defra's own tests have tabs and carriage returns) and the word `null` are repaired.
        """
        for name in names:
            field = self.first(name)
            said = field.own_text(limit=limit) if field is not None else None
            if said is not None:
                return said
        return None

    def own_text(self, *, limit: int = 512) -> str | None:
        """Return its own text, as `text` does."""
        raw = self._raw()
        if raw is None:
            return None
        found = " ".join(_NO_TEXT.sub("", raw).split())
        if found and _BLANK_AROUND.search(raw) is not None:
            self._warn("blanks", "blanks around a value were taken away")
        if found == "null":
            self._warn("null-text", "the word null, where there is no value, is read as none")
            return None
        if len(found) > limit:
            self._warn("cut", f"more than {limit} characters: the rest is not carried")
            found = found[:limit].strip()
        return found or None

    def _raw(self) -> str | None:
        if self.is_xml:
            return None if self.value.text is None else str(self.value.text)
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return self.value if isinstance(self.value, str) else None

    def warn(self, code: str, detail: str, name: str = "") -> None:
        """Note something odd about the record, or about its field `name`."""
        self._warn(code, detail, f"/{name}" if name else "")

    def _warn(self, code: str, detail: str, below: str = "") -> None:
        if self.is_xml:
            self.findings.warn_at(code, self.value, detail, below.removeprefix("/"))
        else:
            self.findings.warn(code, (self._pointer + below) or "/", detail)

    def fault(self, code: str, detail: str, name: str = "") -> None:
        """Note something for which the document is refused."""
        self.findings.fault(code, self.place.removesuffix("/" if name else "") + (f"/{name}" if name else ""), detail)

    def _named(self) -> dict[str, list[tuple[str, Any]]]:
        if self._fields is None:
            self._fields = {}
            for name, pointer, value in self._entries():
                self._fields.setdefault(fold(name), []).append((pointer, value))
        return self._fields

    def _entries(self) -> Iterator[tuple[str, str, Any]]:
        if self.is_xml:
            for element in self.value:
                yield local_name(element), "", element
        elif isinstance(self.value, dict):
            for name, value in self.value.items():
                escaped = name.replace("~", "~0").replace("/", "~1")
                yield name, f"{self._pointer}/{_NO_TEXT.sub('', escaped)[:64]}", value
