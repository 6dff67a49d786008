"""What is wrong with an ICS message by its schema and by HMRC's business rules, as one list of faults.

Owns the order: form first, and rules only where the form holds, as HMRC does it; a missing element would
be told twice otherwise. Never refuses anything, and never maps anything.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, islice

from adapters.document import Document, Element, child, local_name, place_of
from adapters.ens_codes import STRUCTURES, TRADERS
from adapters.ens_form import faults_of_form
from adapters.ens_rules import MESSAGE, RULES, Declaration, Rule, value
from schemas.errors import Fault

# A document with more faults has one cause; the rest would cost time and tell nothing.
MAX_FAULTS = 1000
_DECLARATIONS = ("CC315A", "CC313A")
_ADDRESS_WORDS = ("name", "street and number", "postcode", "city", "country")
_RULES_OF: dict[str, list[Rule]] = defaultdict(list)
for _rule in RULES:
    _RULES_OF[_rule.of].append(_rule)


def check(document: Document) -> list[Fault]:
    """Return what is wrong with every ICS message of a document.

    Codes are `ens-<HMRC's number>`, and `ens-missing`, `ens-form` and the like for the form, which HMRC
    does not number.

    Raises:
        TranslationError: the document is not XML that can be read.
    """
    faults = (fault for message in messages_of(document.xml) for fault in check_message(message))
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


def check_message(message: Element, limit: int = MAX_FAULTS) -> list[Fault]:
    """Return what is wrong with one ICS message, the first `limit` faults; see `check`."""
    if faults := list(islice(faults_of_form(message), limit)):
        return faults
    if local_name(message) not in _DECLARATIONS:
        return []
    return list(islice(_broken_rules(Declaration(message)), limit))


def _broken_rules(d: Declaration) -> Iterator[Fault]:
    yield from _ask(d, MESSAGE, d.root)
    for element in chain.from_iterable((group, *group) for group in d.root):
        name = local_name(element)
        yield from _ask(d, name, element)
        if name in TRADERS:
            yield from _address_faults(element)


def _ask(d: Declaration, name: str, element: Element) -> Iterator[Fault]:
    for rule in _RULES_OF.get(name, ()):
        place = element if rule.at is None else child(element, rule.at)
        if place is not None and rule.broken(d, element):
            yield _fault(rule.number, rule.condition, rule.words, place)


def _address_faults(group: Element) -> Iterator[Fault]:
    """Condition C501: a British TIN stands in for name and address, and nothing else does."""
    trader = TRADERS[local_name(group)]
    tin = value(group, trader.tin) or ""
    for index, (name, words) in enumerate(zip(trader.address, _ADDRESS_WORDS, strict=True)):
        field = child(group, name)
        if field is not None and (trader.required is None or tin.startswith("GB")):
            yield _fault(str(trader.forbidden + index), "C501", f"there is no {words} beside the TIN", field)
        elif field is None and trader.required is not None and not tin.startswith("GB"):
            number = trader.required + index + (100 if tin else 0)
            needed = "beside a TIN that is not British" if tin else "where there is no TIN"
            yield _fault(str(number), "C501", f"the {words} is needed {needed}", group)


def _fault(number: str, condition: str, words: str, place: Element) -> Fault:
    return Fault(f"ens-{number}", place_of(place), f"{words} ({condition})" if condition else words)
