"""A native document: its bytes, its fingerprint, and its XML read with everything dangerous off.

Owns the limits under which documents are read and the way places in them are named. Never knows a
particular format, and never opens anything that a document refers to.
"""

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cached_property
from typing import Any

from lxml import etree

from adapters.codelists import CodeLists, built_in
from adapters.profile import NEUTRAL, Profile
from schemas.codes import normal_identifier
from schemas.errors import Fault, TranslationError
from schemas.shipment import Identifier, Remark, Scheme

Element = Any  # lxml's element; its stubs do not name the type that its parser returns

# Documents with attachments reach some megabytes; more is refused before it is read.
MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
# What opens a tag or gives an attribute takes some 150 bytes once parsed, however short it is: this many
# stay below 300 MB. The longest declaration that an authority takes holds some 100 000.
MAX_MARKUP = 1_000_000
# The deepest customs schema nests 14 deep. libxml2's own limit is 256.
MAX_DEPTH = 100
# Warnings are for people; a document with more has one cause.
MAX_WARNINGS = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a document beyond its bytes, so that reading it stays pure.

    `received` is when the adapter first saw it (aware); it stands in where the document names no time.
    `zone` is the adapter's configured zone, for times that name none; `profile` says what its codes mean,
    `codes` which codes there are.
    """

    agency: str
    received: datetime
    zone: tzinfo = UTC
    profile: Profile = NEUTRAL
    codes: CodeLists = field(default_factory=built_in)


@dataclass
class Findings:
    """What was odd (warnings) or wrong (faults) in a document, gathered while it is read."""

    warnings: list[Remark] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def warn(self, code: str, place: str, detail: str) -> None:
        """Note something that was read all the same."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(Remark(code=code, pointer=(place or "/")[:512], detail=detail[:512]))

    def warn_at(self, code: str, element: Element, detail: str, name: str = "") -> None:
        """Note something odd about an element, or about its child `name`.

        Its place is only worked out while there is room for a warning: that takes as long as the element
        has siblings, and a hostile document has a great many.
        """
        if len(self.warnings) < MAX_WARNINGS:
            self.warn(code, place_of(element) + (f"/{name}" if name else ""), detail)

    def fault(self, code: str, place: str, detail: str) -> None:
        """Note something for which the document will be refused."""
        self.faults.append(Fault(code, place, detail))

    def settle(self) -> None:
        """Raise `TranslationError` with every fault, if there is one."""
        if self.faults:
            raise TranslationError(self.faults)


class Document:
    """The bytes of one document. XML is parsed once, at first use."""

    def __init__(self, content: bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> None:
        if len(content) > max_bytes:
            raise TranslationError(
                [Fault("too-large", "", f"{len(content)} bytes; this adapter reads at most {max_bytes}")]
            )
        self.content = content

    @cached_property
    def sha256(self) -> str:
        """The document's fingerprint, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def looks_like_xml(self) -> bool:
        """Whether the first character, in whatever encoding, opens a tag."""
        start = self.content[:512].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
        return start.startswith(b"<")

    @cached_property
    def xml(self) -> Element:
        """The root element.

        Raises:
            TranslationError: not well-formed, of another encoding than it says, with a document type
                that declares anything, of too much markup, or nested too deep.
        """
        return parse_xml(self.content, bare_type=self.has_bare_type)

    @cached_property
    def has_bare_type(self) -> bool:
        """Whether it names a document type and declares nothing by it: no subset, within or elsewhere."""
        return self.looks_like_xml and has_bare_type(self.content)


# A document type that is a name and nothing else declares no entities, and a reference to one is an error of form. All
# of it up to the first tag, so that no other stands behind it.
_BETWEEN = rb"(?:<\?(?:[^?]|\?(?!>))*\?>|<!--(?:[^-]|-(?!->))*-->|\s)*"
_BARE_TYPE = re.compile(
    rb"(?:\xef\xbb\xbf)?(<\?xml\s(?:[^?]|\?(?!>))*\?>)?"
    + _BETWEEN
    + rb"<!DOCTYPE\s+[A-Za-z_:][\w.:-]*\s*>"
    + _BETWEEN
    + rb"<[A-Za-z_:]"
)
# In other encodings bytes that look like markup can be parts of characters, and hide markup that is.
_PLAIN_ENCODING = re.compile(rb"encoding\s*=\s*[\"'](?:UTF-?8|US-ASCII|ISO-8859-[0-9]+|windows-125[0-9])[\"']", re.I)
BARE_TYPE = "the document type is named and declares nothing; read as if it were not there"


def has_bare_type(content: bytes) -> bool:
    """Tell whether XML's first bytes name a document type without any declaration."""
    match = _BARE_TYPE.match(content[:4096])
    if match is None:
        return False
    declared = match[1] or b""
    return b"encoding" not in declared or _PLAIN_ENCODING.search(declared) is not None


def parse_xml(content: bytes, *, bare_type: bool = False) -> Element:
    """Parse XML with entities and network off; see `Document.xml` for what is raised.

    A document type is refused, but for one that declares nothing where the caller knows of that: `bare_type`.
    """
    _check_before(content)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        place = f"line {error.lineno}" if error.lineno else ""
        # libxml2 quotes names out of the document in some of its texts; they help, and are cut short.
        raise TranslationError([Fault("not-well-formed", place, (error.msg or "empty document")[:200])]) from None
    except (ValueError, LookupError) as error:
        raise TranslationError([Fault("not-well-formed", "", str(error)[:200])]) from None
    docinfo: Any = root.getroottree().docinfo
    typed = docinfo.doctype or docinfo.internalDTD is not None
    if docinfo.system_url or docinfo.public_id or (typed and not bare_type):
        raise TranslationError(
            [Fault("document-type", "line 1", "a document type declaration is refused: it can carry entities")]
        )
    _check_depth(root)
    return root


# Encodings that can write markup without its bytes, unseen by whoever looks at bytes.
_HIDING_ENCODING = re.compile(rb"encoding\s*=\s*[\"'][^\"']*(?:UTF-?7|C99|JAVA)", re.IGNORECASE)


def check_encoding(start: bytes) -> None:
    """Refuse XML whose declaration, in its first bytes, names an encoding that can hide markup."""
    if _HIDING_ENCODING.search(start[:512].replace(b"\x00", b"")):
        raise TranslationError([Fault("encoding", "line 1", "an encoding that can hide markup is refused")])


def _check_before(content: bytes) -> None:
    """Refuse what would cost too much to parse; markup has its bytes in every encoding that is let through."""
    check_encoding(content)
    if content.count(b"<") + content.count(b"=") > MAX_MARKUP:
        raise TranslationError([Fault("too-much-markup", "", f"more than {MAX_MARKUP} tags and attributes")])


# Level by level within libxml2: a tenth of what a walk over the elements takes.
_TOO_DEEP = etree.XPath("/*" * (MAX_DEPTH + 1))


def _check_depth(root: Element) -> None:
    found: Any = _TOO_DEEP(root)
    if found:
        raise TranslationError([Fault("too-deep", f"line {found[0].sourceline}", f"more than {MAX_DEPTH} levels")])


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    tag = element.tag
    return _local(tag) if isinstance(tag, str) else ""


@functools.lru_cache(maxsize=4096)
def _local(tag: str) -> str:
    # A document has a few hundred names, thousands of times each.
    return tag.rpartition("}")[2]


def namespace(element: Element) -> str:
    """Return an element's namespace, or an empty string."""
    tag = element.tag
    return _space(tag) if isinstance(tag, str) else ""


@functools.lru_cache(maxsize=4096)
def _space(tag: str) -> str:
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def children(element: Element, name: str) -> list[Element]:
    """Return the child elements of that local name, whatever their namespace."""
    return list(element.iterchildren(f"{{*}}{name}"))


def child(element: Element | None, *names: str) -> Element | None:
    """Follow local names downwards, taking the first of each; None where one is missing."""
    for name in names:
        if element is None:
            return None
        element = next(element.iterchildren(f"{{*}}{name}"), None)
    return element


def text(element: Element | None, *names: str) -> str | None:
    """Return the trimmed text of an element reached by local names; None where there is none."""
    found = child(element, *names) if names else element
    if found is None or found.text is None:
        return None
    return " ".join(found.text.split()) or None


def long_text(element: Element | None, *names: str, limit: int = 8192) -> str | None:
    """Return trimmed text with its line breaks kept, cut to `limit` characters."""
    found = child(element, *names) if names else element
    if found is None or found.text is None:
        return None
    return found.text.strip()[:limit] or None


_QUALIFIED = re.compile(r"\{[^}]*\}")


# Everything but Char of XML 1.0, production 2.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(value: str) -> str:
    """Return a text without the characters that no XML document can hold."""
    return _NOT_XML.sub("", value)


def place_of(element: Element) -> str:
    """Name an element's place: an XPath of local names, counted where siblings share one, and the line."""
    tree = element.getroottree()
    # libxml2 counts the siblings, which costs nothing even among a hundred thousand of them.
    below = "" if element is tree.getroot() else "/" + _QUALIFIED.sub("", tree.getelementpath(element))
    # An element that was not read from XML stands in no line.
    line = f" (line {element.sourceline})" if element.sourceline else ""
    return f"/{local_name(tree.getroot())}{below}{line}"


def descendants(element: Element, name: str) -> Iterator[Element]:
    """Yield every element of that local name below `element`, in document order."""
    return iter(element.iter(f"{{*}}{name}"))


_ISO_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,6})\d*)?)?)?\s*(Z|z|[+-]\d\d:?(?:\d\d)?)?",
    re.ASCII,
)


def read_time(value: str, zone: tzinfo) -> tuple[datetime, bool] | None:
    """Read a date or date-time in extended or basic ISO 8601; (moment, whether `zone` had to be assumed).

    A date alone is its first instant. None where the text is no such time.
    """
    match = _ISO_TIME.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    micro = int((fraction or "0").ljust(6, "0"))
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro, tzinfo=zone
        )
        # The offset in force then is fixed now, so that the message says it whoever reads it.
        moment = local.replace(tzinfo=_offset(offset) if offset else _whole_minutes(local))
        # What has no place in UTC cannot be compared with other times.
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment, offset is None


@functools.lru_cache(maxsize=1024)
def _offset(text: str) -> tzinfo:
    if text in ("Z", "z"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    if int(digits[:2]) > 23 or int(digits[2:]) > 59:
        raise ValueError("RFC 3339 has no such offset")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def _whole_minutes(local: datetime) -> tzinfo:
    """The offset in force; local mean times of old had seconds, which RFC 3339 cannot write."""
    offset = local.utcoffset() or timedelta()
    return timezone(offset // timedelta(minutes=1) * timedelta(minutes=1))


def read_date(value: str) -> date | None:
    """Read a calendar date, basic or extended; None where it is none."""
    found = read_time(value, UTC)
    return found[0].date() if found else None


# What a reference has in its normal form (`schemas.codes.IdentifierValue`).
_MAX_IDENTIFIER = 256


class Identifiers:
    """Gathers a document's references: normalised, each once, in order of appearance."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Identifier] = {}

    def add(self, scheme: Scheme, value: str | None, issuer: str | None = None) -> None:
        """Take one reference; an absent or blank value is passed over, an over-long one too."""
        normal = normal_identifier(value or "")
        # Capital letters can be more than small ones: ß.
        if len(normal) > _MAX_IDENTIFIER:
            return
        # Documents name the same reference again and again; a model costs more than looking for it.
        if normal and (scheme, normal) not in self._seen:
            fields: dict[str, Any] = {"issuer": issuer[:512]} if issuer else {}
            self._seen[scheme, normal] = Identifier(scheme=scheme, value=normal, **fields)

    def first(self, *schemes: Scheme) -> str | None:
        """Return the first value of the first of these schemes that has one."""
        for scheme in schemes:
            for (of, value), _ in self._seen.items():
                if of == scheme:
                    return value
        return None

    def __bool__(self) -> bool:
        return bool(self._seen)

    def as_list(self) -> list[Identifier]:
        """Return all of them."""
        return list(self._seen.values())
