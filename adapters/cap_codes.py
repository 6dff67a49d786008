"""What the words mean that CAP and EDXL-DE leave to communities, by profile (`cap.toml`).

Owns how such words are compared. Never touches an element.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters import cap_words as words
from adapters.profile import NEUTRAL, Profile
from schemas import Tlp
from schemas.shipment import Scheme

_FAMILY = "cap"


@dataclass(frozen=True, slots=True)
class Notice:
    """How a shipment event reads as an alert."""

    event: str
    language: str = "en"
    severity: str = "Unknown"
    response: str = "Monitor"
    urgency: str = "Unknown"


@functools.lru_cache(maxsize=64)
def _table(profile: Profile, section: str) -> Mapping[str, Any]:
    return {words.plain(code): meaning for code, meaning in profile.table(_FAMILY, section).items()}


@functools.lru_cache(maxsize=4096)
def reference(profile: Profile, name: str) -> tuple[Scheme, str | None] | None:
    """Return which reference a parameter of this name is, and who gave it; None where it is none.

    What stands before a colon is a community's prefix; what stands after an `@` is the issuer.
    """
    bare, _, issuer = name.partition("@")
    plain = words.plain(bare.rpartition(":")[2])
    scheme = _table(profile, "reference").get(plain)
    return None if scheme is None else (scheme, issuer.strip() or _table(profile, "issuer").get(plain))


def is_locode_name(profile: Profile, name: str) -> bool:
    """Tell whether a geocode of this name is a UN/LOCODE."""
    return _table(profile, "place").get(words.plain(name.rpartition(":")[2])) == "locode"


def confidentiality(profile: Profile, text: str) -> Tlp | None:
    """Return the marking that an EDXL-DE confidentiality means; None where nobody says."""
    found = words.marking_in(text)
    meaning = _table(profile, "confidentiality").get(words.plain(text))
    return found if found is not None else None if meaning is None else Tlp(meaning)


def notice(profile: Profile, type_: str) -> Notice | None:
    """Return how an event of this type reads as an alert; None where it is no alert."""
    found = profile.table(_FAMILY, "notice").get(type_)
    if found is None:
        return None
    return Notice(**{"event": type_, **NEUTRAL.table(_FAMILY, "notice").get(type_, {}), **found})


def noticed(profile: Profile) -> list[str]:
    """Return the types of the events that read as alerts."""
    return sorted(profile.table(_FAMILY, "notice"))
