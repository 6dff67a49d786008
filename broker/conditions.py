"""The `where` of an agreement: conditions on a message, in three-valued logic. Pure.

Owns what each condition means, and when one can never or must always hold. Unknown is not a match: what
a message does not say cannot entitle anybody to it.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

from schemas import AlertMessage, Message, ShipmentMessage
from schemas.codes import is_country
from schemas.errors import Fault
from schemas.shipment import Place, Scheme

HsPrefix = Annotated[str, StringConstraints(pattern=r"^[0-9]{2,6}$")]
PlacePattern = Annotated[str, StringConstraints(pattern=r"^[A-Z*][A-Z0-9*]{0,4}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Mode = Annotated[str, StringConstraints(pattern=r"^[0-9]$")]
IdentifierPattern = Annotated[str, StringConstraints(pattern=r"^[a-z-]+(:[^\s]{1,256})?$")]
Severity = Literal["Minor", "Moderate", "Severe", "Extreme"]
Certainty = Literal["Unlikely", "Possible", "Likely", "Observed"]
_SEVERITIES: tuple[str, ...] = get_args(Severity)
_CERTAINTIES: tuple[str, ...] = get_args(Certainty)
SCHEMES: tuple[str, ...] = get_args(Scheme)


class Truth(enum.Enum):
    """The three values of Kleene's logic."""

    NO = 0
    UNKNOWN = 1
    YES = 2


def any_of(values: Iterable[Truth]) -> Truth:
    """Disjunction: yes beats unknown beats no; of nothing at all, unknown."""
    best: Truth | None = None
    for value in values:
        if value is Truth.YES:
            return value
        if best is None or value is Truth.UNKNOWN:
            best = value
    return Truth.UNKNOWN if best is None else best


class Where(BaseModel):
    """[agreement.where]; within a list one entry is enough, all the keys given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    hs: tuple[HsPrefix, ...] | None = None
    place: tuple[PlacePattern, ...] | None = None
    origin: tuple[CountryCode, ...] | None = None
    mode: tuple[Mode, ...] | None = None
    identifiers: tuple[IdentifierPattern, ...] | None = None
    min_severity: Severity | None = None
    min_certainty: Certainty | None = None

    def compile(self) -> "Conditions":
        """Prepare the conditions for deciding."""
        tests: list[tuple[str, Callable[[Message], Truth]]] = []
        for name, make in _MAKERS.items():
            wanted = getattr(self, name)
            if wanted is not None:
                tests.append((name, make(wanted)))
        return Conditions(tuple(tests))


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Compiled conditions of the agreements that set the same."""

    tests: tuple[tuple[str, Callable[[Message], Truth]], ...] = ()

    def hold(self, message: Message) -> bool:
        """Tell whether every condition certainly holds."""
        return all(test(message) is Truth.YES for _, test in self.tests)

    def why_not(self, message: Message) -> str | None:
        """Name the first condition that does not hold, and whether the message contradicts it or is silent."""
        for name, test in self.tests:
            truth = test(message)
            if truth is Truth.NO:
                return f"where.{name} does not hold"
            if truth is Truth.UNKNOWN:
                return f"where.{name} cannot be told from the message"
        return None


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _hs_codes(message: Message) -> list[str | None]:
    if isinstance(message, ShipmentMessage):
        return [goods.hs for goods in message.data.goods or ()]
    if isinstance(message, AlertMessage) and message.data.profile is not None:
        return _listed(message.data.profile.hs)
    return []


def _hs(prefixes: tuple[str, ...]) -> Callable[[Message], Truth]:
    def one(code: str | None) -> Truth:
        if code is None:
            return Truth.UNKNOWN
        if code.startswith(prefixes):
            return Truth.YES
        # `01` may or may not be `0102`.
        return Truth.UNKNOWN if any(prefix.startswith(code) for prefix in prefixes) else Truth.NO

    return lambda message: any_of(map(one, _hs_codes(message)))


def _origins(message: Message) -> list[str | None]:
    if isinstance(message, ShipmentMessage):
        return [goods.origin for goods in message.data.goods or ()]
    if isinstance(message, AlertMessage) and message.data.profile is not None:
        return _listed(message.data.profile.origin)
    return []


def _one_of(value: str | None, wanted: frozenset[str]) -> Truth:
    if value is None:
        return Truth.UNKNOWN
    return Truth.YES if value in wanted else Truth.NO


def _origin(countries: tuple[str, ...]) -> Callable[[Message], Truth]:
    wanted = frozenset(countries)
    return lambda message: any_of(_one_of(origin, wanted) for origin in _origins(message))


def _mode(modes: tuple[str, ...]) -> Callable[[Message], Truth]:
    wanted = frozenset(modes)

    def test(message: Message) -> Truth:
        if not isinstance(message, ShipmentMessage):
            return Truth.UNKNOWN
        transport = message.data.transport
        return _one_of(transport.mode if transport is not None else None, wanted)

    return test


def _place(patterns: tuple[str, ...]) -> Callable[[Message], Truth]:
    countries = frozenset(pattern for pattern in patterns if len(pattern) == 2 and "*" not in pattern)
    matchers = [_glob(pattern) for pattern in patterns if pattern not in countries]

    def test(message: Message) -> Truth:
        place: Place | None = getattr(message.data, "place", None)
        if place is None:
            return Truth.UNKNOWN
        country = place.country or (place.locode or "")[:2] or None
        if country in countries:
            return Truth.YES
        if place.locode is not None:
            return Truth.YES if any(matches(place.locode) for matches in matchers) else Truth.NO
        if country is None:
            return Truth.UNKNOWN
        return any_of(_of_country(pattern, country) for pattern in patterns)

    return test


def _of_country(pattern: str, country: str) -> Truth:
    """Whether a place of which only the country is known matches: as far as that settles it."""
    if pattern[:2].isalpha() and pattern[2:].strip("*") == "":
        return Truth.YES if pattern[:2] == country else Truth.NO
    excluded = "*" not in pattern[:2] and pattern[:2] != country
    return Truth.NO if excluded else Truth.UNKNOWN


def _glob(pattern: str) -> Callable[[str], bool]:
    """Prepare a pattern of which `*` is any number of characters. No pattern takes more than a few looks at a text."""
    first, *further = pattern.split("*")
    if not further:
        return lambda text: text == first
    *middle, last = further

    def matches(text: str) -> bool:
        if not text.startswith(first):
            return False
        at = len(first)
        for part in middle:
            found = text.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return len(text) - len(last) >= at and text.endswith(last)

    return matches


def _identifiers(patterns: tuple[str, ...]) -> Callable[[Message], Truth]:
    matchers: dict[str, list[Callable[[str], bool]]] = {}
    for scheme, _, glob in (pattern.partition(":") for pattern in patterns):
        matchers.setdefault(scheme, []).append(_glob(glob or "*"))

    def test(message: Message) -> Truth:
        if isinstance(message, ShipmentMessage):
            found = message.data.identifiers
        elif isinstance(message, AlertMessage) and message.data.about is not None:
            found = message.data.about
        else:
            return Truth.UNKNOWN
        for one in found:
            if any(matches(one.value) for matches in matchers.get(one.scheme, ())):
                return Truth.YES
        return Truth.NO

    return test


def _at_least(scale: tuple[str, ...], field: str) -> Callable[[str], Callable[[Message], Truth]]:
    def make(least: str) -> Callable[[Message], Truth]:
        wanted = frozenset(scale[scale.index(least) :])

        def test(message: Message) -> Truth:
            value = getattr(message.data, field, None) if isinstance(message, AlertMessage) else None
            return Truth.UNKNOWN if value in (None, "Unknown") else _one_of(value, wanted)

        return test

    return make


_MAKERS: dict[str, Callable[[Any], Callable[[Message], Truth]]] = {
    "hs": _hs,
    "place": _place,
    "origin": _origin,
    "mode": _mode,
    "identifiers": _identifiers,
    "min_severity": _at_least(_SEVERITIES, "severity"),
    "min_certainty": _at_least(_CERTAINTIES, "certainty"),
}


def senseless(where: Where, families: frozenset[str]) -> list[Fault]:
    """Find conditions that can never hold, or always do, for messages of these families.

    A condition that never holds is an agreement that silently shares nothing; one that always holds is
    an agreement that shares more than its author thought.
    """
    faults: list[Fault] = []
    given = {name: getattr(where, name) for name in _MAKERS if getattr(where, name) is not None}
    if not given:
        faults.append(Fault("always-holds", "", "an empty where restricts nothing; leave it out"))
    for name, value in given.items():
        if value == ():
            faults.append(Fault("never-holds", name, "an empty list matches nothing"))
    if "shipment" not in families and where.mode is not None:
        faults.append(Fault("never-holds", "mode", "alerts have no mode of transport"))
    if "alert" not in families:
        for name in ("min_severity", "min_certainty"):
            if name in given:
                faults.append(Fault("never-holds", name, "shipment events have no such grade"))
    graded = where.min_severity is not None or where.min_certainty is not None
    if graded and where.mode is not None and families >= {"alert", "shipment"}:
        faults.append(Fault("never-holds", "mode", "alerts are graded, shipments have a mode: no message has both"))
    faults += _senseless_places(where.place or ())
    for country in where.origin or ():
        if not is_country(country):
            faults.append(Fault("never-holds", "origin", f"{country} is not an ISO 3166-1 country code"))
    if any(prefix.startswith("00") for prefix in where.hs or ()):
        faults.append(Fault("never-holds", "hs", "the Harmonized System has no chapter 00"))
    faults += _senseless_identifiers(where.identifiers or (), families)
    return faults


def _senseless_identifiers(patterns: tuple[str, ...], families: frozenset[str]) -> Iterable[Fault]:
    for pattern in patterns:
        scheme, _, form = pattern.partition(":")
        if scheme not in SCHEMES:
            yield Fault("never-holds", "identifiers", f"{scheme} is no scheme; known are {', '.join(SCHEMES)}")
        elif form != form.upper():
            text = f"identifiers are compared in upper case: {scheme}:{form.upper()}"
            yield Fault("never-holds", "identifiers", text)
    bare = {pattern.rstrip("*").rstrip(":") for pattern in patterns if _is_bare(pattern)}
    # An alert may name no consignment at all; this then asks for those that do.
    if bare >= set(SCHEMES) and "shipment" in families:
        yield Fault("always-holds", "identifiers", "every message has an identifier of some scheme")


def _is_bare(pattern: str) -> bool:
    return pattern.partition(":")[2].strip("*") == ""


def _senseless_places(patterns: tuple[str, ...]) -> Iterable[Fault]:
    for pattern in patterns:
        if pattern.strip("*") == "":
            yield Fault("always-holds", "place", f"{pattern} matches every place; leave the condition out")
        elif "*" not in pattern[:2] and not (len(pattern) >= 2 and is_country(pattern[:2])):
            yield Fault("never-holds", "place", f"{pattern} begins with no country code")
        elif "*" not in pattern and len(pattern) not in (2, 5):
            yield Fault("never-holds", "place", f"{pattern} is neither a country, a UN/LOCODE nor a pattern with *")
