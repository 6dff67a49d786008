"""How much of a document its messages hold: a count of values, told for the tables of docs/FORMATS.md.

Owns what counts as a value of a document and when it counts as carried. Never knows a format beyond its syntax
(XML, JSON, UN/EDIFACT), and never repeats a value.

A value is a text of an element, an attribute, a JSON scalar or an EDIFACT component with at least three letters or
digits: shorter ones stand everywhere. It is carried if its letters and digits stand, in this order, in a value of
the messages. So a code that becomes a word counts as not carried, though its meaning is; the share is a lower bound.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

from lxml import etree

from adapters.document import Document, Element, Findings, read_time
from adapters.edifact_syntax import chunks_of, segments
from adapters.profile import NEUTRAL
from adapters.records import looks_like_json
from schemas import Message
from schemas.errors import TranslationError

# Shorter values (a country, a count, a code) are found in nearly every message by chance.
MIN_CHARACTERS = 3
# Of what is longer, as of a spectrum or an attachment, this much tells whether it is carried.
MAX_CHARACTERS = 200
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"


def values_of(document: Document) -> set[str]:
    """Return the different values that a document holds, folded; empty where its syntax cannot be read."""
    try:
        return {folded for value in _values(document) if len(folded := _fold(value)) >= MIN_CHARACTERS}
    except (TranslationError, ValueError, RecursionError):
        return set()


def carried(values: Iterable[str], messages: Iterable[Message]) -> int:
    """Return how many of a document's folded values stand in its messages, the envelopes included."""
    held = "\n".join(_fold(value, limit=None) for message in messages for value in _scalars(_plain(message)))
    return sum(value in held for value in values)


def fields_of(message: Message) -> set[str]:
    """Return the fields of the canonical body that a message fills, without `native`: `goods/hs`, `place/locode`."""
    body = _plain(message)["data"]
    return {field for field in _paths(body, "") if not field.startswith("native")}


def _plain(message: Message) -> Any:
    return json.loads(message.to_bytes())


def _fold(value: str, limit: int | None = MAX_CHARACTERS) -> str:
    if _DECIMAL.fullmatch(value):
        value = value.rstrip("0").rstrip(".")
    elif 8 < len(value) <= 40 and not value.isdigit() and (moment := read_time(value, UTC)) is not None:
        # Its digits whatever its form; fractions and zones are written differently by everybody.
        value = moment[0].strftime("%Y%m%d%H%M%S")
    return "".join(filter(str.isalnum, value.casefold()))[:limit]


def _values(document: Document) -> Iterator[str]:
    if document.looks_like_xml:
        yield from _of_xml(document.xml)
    elif looks_like_json(document):
        yield from _scalars(json.loads(document.content.decode("utf-8-sig")))
    else:
        charsets = NEUTRAL.table("edifact", "charset")
        for segment in segments(chunks_of(document.content), Findings(), charsets):
            for element in segment.elements[1:]:
                yield from element


def _of_xml(root: Element) -> Iterator[str]:
    for element in root.iter(etree.Element):
        if element.text and not len(element):
            yield element.text
        yield from (value for name, value in element.attrib.items() if not name.startswith(_INSTANCE))


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, float):
        yield f"{value:.12g}"
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)


def _paths(value: Any, above: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{above}/{name}" if above else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, above)
    else:
        yield above
