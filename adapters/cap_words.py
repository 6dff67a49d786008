"""CAP 1.2's words and value forms, shared by its reader and its writer.

Owns the enumerations, the names under which cbm's own fields travel as CAP parameters, and the forms
of polygons, lists and web addresses. Never touches an element.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import get_args
from urllib.parse import quote

from schemas import Tlp
from schemas.alert import Category, Certainty, MsgType, Scope, Severity, Status, Urgency
from schemas.shipment import Scheme

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"

# The elements of an alert, of an info block and of an area (CAP 1.2, 3.2), and of an XML signature.
ALERT = frozenset(
    """
    identifier sender sent status msgType source scope restriction addresses code note references incidents info
    Signature
    """.split()  # noqa: SIM905 (quoted one by one they fill a page)
)
INFO = frozenset(
    """
    language category event responseType urgency severity certainty audience eventCode effective onset expires
    senderName headline description instruction web contact parameter resource area
    """.split()  # noqa: SIM905
)
AREA = frozenset("areaDesc polygon circle geocode altitude ceiling".split())  # noqa: SIM905
# By small letters, for who writes none else; not shapes: a `Polygon` is another standard's, and has the east first.
SPELLINGS = {name.lower(): name for name in ALERT | INFO | AREA if name not in ("polygon", "circle", "Signature")}

STATUSES: tuple[str, ...] = get_args(Status)
MSG_TYPES: tuple[str, ...] = get_args(MsgType)
SCOPES: tuple[str, ...] = get_args(Scope)
CATEGORIES: tuple[str, ...] = get_args(Category)
URGENCIES: tuple[str, ...] = get_args(Urgency)
SEVERITIES: tuple[str, ...] = get_args(Severity)
CERTAINTIES: tuple[str, ...] = get_args(Certainty)
RESPONSE_TYPES = ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
# CAP 1.0 had this one; 1.1 folded it into Likely (CAP 1.1, note on certainty).
FORMER_WORDS = {"verylikely": "Likely"}

# Where an alert has no language of its own (CAP 1.2, 3.2.2).
DEFAULT_LANGUAGE = "en-US"

TYPE_OF_MSG = {
    "Alert": "alert.issued",
    "Update": "alert.updated",
    "Cancel": "alert.cancelled",
    "Ack": "alert.acknowledged",
    # The rejection of an alert is an answer to it as well; `msg_type` keeps the difference.
    "Error": "alert.acknowledged",
}
MSG_OF_TYPE = {"alert.issued": "Alert", "alert.updated": "Update", "alert.cancelled": "Cancel"}

# Each of cbm's own fields is a parameter of this prefix; CAP 1.2 leaves valueName to the community.
OURS = "cbm:"
SCHEMES: tuple[str, ...] = get_args(Scheme)
PLACE_PARTS = ("locode", "country", "name", "facility")


def plain(name: str) -> str:
    """Return a name as names are compared: lower case, letters and digits only."""
    return "".join(filter(str.isalnum, name.lower()))


def word(value: str, words: Sequence[str]) -> str | None:
    """Return the word of a list that a text means, whatever its case; None where it means none."""
    if value in words:
        return value
    wanted = plain(value)
    wanted = plain(FORMER_WORDS.get(wanted, wanted))
    return next((known for known in words if plain(known) == wanted), None)


_TLP = re.compile(r"\bTLP[:\s-]*(RED|AMBER\+STRICT|AMBER|GREEN|CLEAR|WHITE)(?![\w+])", re.IGNORECASE)


def marking_in(text: str | None) -> Tlp | None:
    """Return the TLP marking that a text names, or None."""
    match = _TLP.search(text or "")
    if match is None:
        return None
    name = match[1].upper()
    return Tlp.CLEAR if name == "WHITE" else Tlp(name)


def is_marking(text: str) -> bool:
    """Tell whether a text is a TLP marking and nothing else."""
    return _TLP.fullmatch(text.strip()) is not None


def strictest(markings: Iterable[Tlp]) -> Tlp:
    """Return the most sensitive of several markings."""
    return max(markings, key=lambda marking: marking.sensitivity)


# CAP 1.2, 3.2.1: an identifier has no blanks, commas, `<` or `&`; as a subject it has no control characters.
_NOT_IN_IDENTIFIERS = re.compile(r"[\s,<&\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]+")


def identifier(text: str) -> str:
    """Return a text as a CAP identifier: what may not stand in one becomes `_`."""
    return _NOT_IN_IDENTIFIERS.sub("_", text.strip().rstrip(", "))


_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


def split_list(text: str) -> list[str]:
    """Read a list with blanks between; items that contain blanks stand in double quotes (CAP 1.2, addresses)."""
    return [item for quoted, bare in _QUOTED.findall(text) if (item := " ".join((quoted or bare).split()))]


def join_list(items: Iterable[str]) -> str:
    """Write a list so that `split_list` reads it again."""
    clean = (" ".join(item.replace('"', "").split()) for item in items)
    return " ".join(f'"{item}"' if " " in item else item for item in clean if item)


_NUMBER = r"[+-]?\d{1,3}(?:\.\d+)?"
_POLYGON = re.compile(rf"{_NUMBER},{_NUMBER}(?: {_NUMBER},{_NUMBER})*")
_CIRCLE = re.compile(rf"({_NUMBER}),({_NUMBER}) (\d+(?:\.\d+)?)")


def polygon(text: str) -> str | None:
    """Return a polygon as pairs `lat,lon` with single blanks, repaired where commas strayed; None if illegible."""
    collapsed = " ".join(text.split())
    if _POLYGON.fullmatch(collapsed) is None:
        numbers = [part for part in re.split(r"[\s,]+", text.strip()) if part]
        if not numbers or len(numbers) % 2 or any(re.fullmatch(_NUMBER, part) is None for part in numbers):
            return None
        collapsed = " ".join(f"{numbers[i]},{numbers[i + 1]}" for i in range(0, len(numbers), 2))
    return collapsed if all(_on_earth(*pair.split(",")) for pair in collapsed.split(" ")) else None


def polygon_warning(pairs: str) -> str | None:
    """Return what is odd about a legible polygon, or None (CAP 1.2, 3.2.4)."""
    points = pairs.split(" ")
    first, last = ([float(part) for part in points[end].split(",")] for end in (0, -1))
    if len(points) < 4 or first != last:
        return "a polygon has at least four pairs, the last one like the first"
    return None


def circle(text: str) -> str | None:
    """Return a circle as `lat,lon radius` with single blanks; None if it is illegible."""
    collapsed = " ".join(text.replace(", ", ",").split())
    match = _CIRCLE.fullmatch(collapsed)
    return collapsed if match is not None and _on_earth(match[1], match[2]) else None


def _on_earth(latitude: str, longitude: str) -> bool:
    return abs(float(latitude)) <= 90 and abs(float(longitude)) <= 180


def decimal(text: str) -> float | None:
    """Read a number of feet; None where it is none."""
    if re.fullmatch(r"[+-]?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})", text.strip()) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(//[A-Za-z0-9._~%!$&'()*+,;=@-]*(:[0-9]{1,5})?(?=[/?#]|$)|(?!//))"
    r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?(#[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def uri(text: str) -> str | None:
    """Return a web address that every schema processor takes for an anyURI (RFC 3986); None if it cannot be one."""
    escaped = quote(_LONE_PERCENT.sub("%25", text.strip()), safe="%:/?#@!$&'()*+,;=~")
    return escaped if len(escaped) <= 512 and _URI.fullmatch(escaped) else None


_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")


def is_language(text: str) -> bool:
    """Tell whether a text has the form of a language tag (xs:language)."""
    return len(text) <= 64 and _LANGUAGE.fullmatch(text) is not None
