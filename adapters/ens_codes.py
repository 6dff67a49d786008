"""The codes of entry summary declarations as a profile has them (`profiles/*/ens.toml`), made ready.

Owns what is asked of those tables. Never reads a document.
"""

import functools
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from adapters.profile import Profile
from schemas.shipment import Scheme

FAMILY = "ens"
# Modes of UNECE Recommendation 19, and how a means of transport is known.
SEA, RAIL, ROAD = "1", "2", "3"
SHIP, WAGON, REGISTRATION, FLIGHT = "ship", "wagon", "registration", "flight"
_UNTDID = re.compile(r"N[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Mode:
    """A transport mode at the border: that of Recommendation 19 (empty: none), how its means is known."""

    rec19: str = ""
    means: str = "name"

    @property
    def is_sea(self) -> bool:
        """A ship at sea, and neither a barge nor a vehicle on a ferry."""
        return self.means == SHIP and self.rec19 == SEA

    @property
    def is_on_land(self) -> bool:
        """Whether what is counted are wagons or vehicles."""
        return self.means in (WAGON, REGISTRATION)


_UNKNOWN = Mode()


@dataclass(frozen=True, slots=True)
class Codes:
    """The code tables of one profile; a code whose meaning is empty is none."""

    modes: Mapping[str, Mode]
    circumstances: Mapping[str, str]
    packages: Mapping[str, str]
    mentions: Mapping[str, str]
    documents: Mapping[str, Scheme]
    home: Set[str]
    """Countries whose TIN stands in for name and address."""

    def mode(self, code: str | None) -> Mode:
        """Return what a code of transport mode means; leading zeros do not count."""
        return self.modes.get((code or "").lstrip("0"), _UNKNOWN)

    def document(self, code: str) -> Scheme:
        """Return the scheme of what a document of this type is referred to by; 705 and N705 are the same."""
        kind = code.upper()
        return self.documents.get(kind[1:] if _UNTDID.fullmatch(kind) else kind, "other")

    def is_home(self, tin: str | None) -> bool:
        """Tell whether a TIN is of a country that takes it instead of name and address."""
        return (tin or "")[:2] in self.home


@functools.lru_cache(maxsize=16)
def codes_of(profile: Profile) -> Codes:
    """Return a profile's code tables."""

    def words(section: str) -> dict[str, str]:
        return {code: word for code, word in profile.table(FAMILY, section).items() if word}

    modes = profile.table(FAMILY, "mode")
    return Codes(
        modes={code: Mode(one["mode"], one["means"]) for code, one in modes.items()},
        circumstances=words("circumstance"),
        packages=words("package"),
        mentions=words("mention"),
        documents=profile.table(FAMILY, "document"),
        home=frozenset(words("home")),
    )
