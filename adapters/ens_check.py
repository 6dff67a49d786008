"""What is wrong with an ICS message by its schema and by a nation's business rules, as one list of faults.

Owns the order: form first, and rules only where the form holds, as HMRC does it; a missing element would
be told twice otherwise. Which rules a nation has is its profile's business. Never refuses anything, and never
maps anything.
"""

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from adapters.document import Document, Element, local_name, place_of
from adapters.ens_codes import FAMILY, Codes, codes_of
from adapters.ens_declaration import Declaration
from adapters.ens_form import faults_of_form
from adapters.ens_group import ITEM, Group, IcsMessage
from adapters.ens_rules import MESSAGE, RULES, Rule
from adapters.ens_structures import STRUCTURES, TRADERS
from adapters.profile import NEUTRAL, Profile
from schemas.errors import Fault

# A document with more faults has one cause; the rest would cost time and tell nothing.
MAX_FAULTS = 1000
_DECLARATIONS = ("CC315A", "CC313A")
_ADDRESS_WORDS = ("name", "street and number", "postcode", "city", "country")
# What can be wrong with a field of a party's address, by the names of these rules in a profile (condition C501).
_NEEDED, _NEEDED_ABROAD, _FORBIDDEN = "address-needed", "address-needed-abroad", "address-forbidden"
_ADDRESS_RULES = {
    _NEEDED: "the {} is needed where there is no TIN",
    _NEEDED_ABROAD: "the {} is needed beside a TIN of another country",
    _FORBIDDEN: "there is no {} beside the TIN",
}


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules that a profile has: each with the code and the words under which it is told."""

    codes: Codes
    of: Mapping[str, list[tuple[Rule, str, str]]]
    of_address: Mapping[tuple[str, str], list[tuple[str, str]]]
    """(Party, rule) -> for each field of the address, code and words."""


@functools.lru_cache(maxsize=16)
def _rules_of(profile: Profile) -> _Rules:
    conditions, numbers = profile.table(FAMILY, "rule"), profile.table(FAMILY, "number")
    of: dict[str, list[tuple[Rule, str, str]]] = defaultdict(list)
    for rule in RULES:
        condition = conditions.get(rule.name)
        if name := numbers.get(rule.name) or condition:
            of[rule.of].append((rule, f"ens-{name.lower()}", _words(rule.words, condition)))
    of_address = {}
    for name, words in _ADDRESS_RULES.items():
        told = profile.table(FAMILY, f"{name}-number")
        for party in TRADERS if conditions.get(name) else ():
            codes = [*told.get(party, "").split(), *[conditions[name]] * 5]
            of_address[party, name] = [
                (f"ens-{code.lower()}", _words(words.format(field), conditions[name]))
                for code, field in zip(codes, _ADDRESS_WORDS, strict=False)
            ]
    return _Rules(codes_of(profile), dict(of), of_address)


def _words(words: str, condition: str | None) -> str:
    return f"{words} ({condition})" if condition else words


def check(document: Document, profile: Profile = NEUTRAL) -> list[Fault]:
    """Return what is wrong with every ICS message of a document, by a profile's rules.

    Codes are `ens-<number>`, the authority's own or else the condition of the ICS, and `ens-missing`, `ens-form`
    and the like for the form, which has no numbers.

    Raises:
        TranslationError: the document is not XML that can be read.
    """
    messages = map(IcsMessage, messages_of(document.xml))
    faults = (fault for message in messages for fault in check_message(message, profile))
    return list(islice(faults, MAX_FAULTS))


def messages_of(root: Element) -> list[Element]:
    """Return the ICS messages of a document: its root, or what its envelope holds; none inside another."""
    if local_name(root) in STRUCTURES:
        return [root]
    found: list[Element] = []
    for element in root.iterdescendants():
        if local_name(element) in STRUCTURES and (not found or found[-1] not in element.iterancestors()):
            found.append(element)
    return found


def check_message(message: IcsMessage, profile: Profile, limit: int = MAX_FAULTS) -> list[Fault]:
    """Return what is wrong with one ICS message, the first `limit` faults; see `check`."""
    if faults := list(islice(faults_of_form(message.root), limit)):
        return faults
    if message.name not in _DECLARATIONS:
        return []
    rules = _rules_of(profile)
    return list(islice(_broken_rules(Declaration(message, rules.codes), rules), limit))


def _broken_rules(d: Declaration, rules: _Rules) -> Iterator[Fault]:
    yield from _ask(d, rules, MESSAGE, d.root)
    items = iter(d.items)
    for element in d.root.root:
        if element.tag != ITEM:
            yield from _faults_of_group(d, rules, element)
            continue
        yield from _ask(d, rules, ITEM, next(items))
        for part in element:
            yield from _faults_of_group(d, rules, part)


def _faults_of_group(d: Declaration, rules: _Rules, element: Element) -> Iterator[Fault]:
    # The form holds, so that elements are of no name space.
    name = element.tag
    if name in rules.of or name in TRADERS:
        group = Group(element)
        yield from _ask(d, rules, name, group)
        if name in TRADERS:
            yield from _address_faults(rules, name, group)


def _ask(d: Declaration, rules: _Rules, name: str, group: Group) -> Iterator[Fault]:
    for rule, code, words in rules.of.get(name, ()):
        place = group.element if rule.at is None else group.field(rule.at)
        if place is not None and rule.broken(d, group):
            yield Fault(code, place_of(place), words)


def _address_faults(rules: _Rules, name: str, group: Group) -> Iterator[Fault]:
    """Condition C501: a TIN of this country stands in for name and address, and nothing else does."""
    trader = TRADERS[name]
    tin = group.field(trader.tin)
    at_home = rules.codes.is_home(tin.text if tin is not None else None)
    needed = rules.of_address.get((name, _NEEDED_ABROAD if tin is not None else _NEEDED), [])
    forbidden = rules.of_address.get((name, _FORBIDDEN), [])
    for index, field in enumerate(map(group.field, trader.address)):
        if field is not None and (trader.tin_alone or at_home):
            broken, place = forbidden, field
        elif field is None and not trader.tin_alone and not at_home:
            broken, place = needed, group.element
        else:
            continue
        if broken:
            code, words = broken[index]
            yield Fault(code, place_of(place), words)
