"""Writes UN/EDIFACT: segments with their service characters released, within an interchange of one message.

Owns the envelope that goes out, and its repertoire: Latin-1 (UNOC, syntax version 3) where that holds every
character, else UTF-8 (UNOW, version 4). Never knows what a message says.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

# The two repertoires that go out: syntax identifier, version, codec, date of UNB.
_LATIN = ("UNOC", "3", "iso8859-1", "%y%m%d")
_UNICODE = ("UNOW", "4", "utf-8", "%Y%m%d")
_RELEASED = re.compile(r"([?:+'])")
# Identification of a partner (0004, 0010) and reference (0020, 0062): the most characters each has.
_PARTNER, _QUALIFIER, _REFERENCE = 35, 4, 14
# A composite is a sequence of components; an element that is a text alone is a composite of one.
Element = str | Sequence[str]


def clean(text: str, limit: int = 0) -> str:
    """Return a text as one line without controls, cut to `limit` characters (0: not cut)."""
    plain = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    joined = " ".join(plain.split())
    return joined[:limit].rstrip() if limit else joined


def segment(tag: str, *elements: Element) -> str:
    """Write one segment; what is empty at its end is left away (ISO 9735, 9.1)."""
    parts = [tag]
    for element in elements:
        components = [element] if isinstance(element, str) else list(element)
        while components and not components[-1]:
            components.pop()
        parts.append(":".join(_RELEASED.sub(r"?\1", one) for one in components))
    while not parts[-1]:
        parts.pop()
    return "+".join(parts)


def reference_of(key: str) -> str:
    """Return a reference of fourteen characters that is the same for the same key."""
    return hashlib.sha256(key.encode()).hexdigest()[:_REFERENCE].upper()


def interchange(
    message: str, body: Iterable[str], *, sender: Element, recipient: Element, prepared: datetime, key: str,
    directory: tuple[str, str, str] = ("D", "21A", "UN"), test: bool = False,
) -> bytes:  # fmt: skip
    """Write an interchange of one message.

    `message` is its type; `body` its segments between UNH and UNT; `key` makes the references, so that the
    same message gives the same bytes; `prepared` is written in UTC.
    """
    segments = list(body)
    content = "".join(segments)
    names = [_partner(sender), _partner(recipient)]
    level, version, codec, date = _LATIN if _fits(content + "".join(names[0] + names[1])) else _UNICODE
    reference, moment = reference_of(key), prepared.astimezone(UTC)
    head = segment(
        "UNB", (level, version), *names,
        (moment.strftime(date), moment.strftime("%H%M")), reference, "", "", "", "", "", "1" if test else "",
    )  # fmt: skip
    lines = [
        "UNA:+.? ",
        head,
        segment("UNH", "1", (message, *directory)),
        *segments,
        segment("UNT", str(len(segments) + 2), "1"),
        segment("UNZ", "1", reference),
    ]
    text = lines[0] + "'\n" + "".join(line + "'\n" for line in lines[1:])
    return text.encode(codec)


def _partner(name: Element) -> list[str]:
    """Identification and qualifier (S002, S003)."""
    parts = [name] if isinstance(name, str) else list(name)
    return [clean(parts[0], _PARTNER), *(clean(one, _QUALIFIER) for one in parts[1:2])]


def _fits(text: str) -> bool:
    try:
        text.encode("iso8859-1")
    except UnicodeEncodeError:
        return False
    return True
