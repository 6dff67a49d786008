"""What aggregators make of CAP alerts, put right: fields as Atom categories.

Owns this repair. Never reads what an alert says.
"""

import re

from lxml import etree

from adapters import cap_words as words
from adapters.document import Element, local_name, text

# CAP's fields as terms of an Atom category, and the reference to the alert that a summary ends with.
_TERM = re.compile(r"(status|msgType|scope|language|category|event|responseType|urgency|severity|certainty)=(.+)")
_ORIGINAL = re.compile(r"CAP Alert:\s*([^,<]+),\s*([^,<]+),\s*([^,<\s]+)")


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
