"""Whether an ICS message has the form that its schema asks for, told by our own tables of it.

Owns the reading of those tables and the faults of form: missing, unexpected, out of order, too often,
malformed. Never judges what a message means: that is `ens_rules`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property
from typing import Any

from lxml import etree

from adapters.document import Element, local_name, namespace, place_of
from adapters.ens_group import collapsed
from adapters.ens_structures import FORMS, NAMESPACE_PREFIX, STRUCTURES, TRADER_FORMS, TRADERS
from schemas.errors import Fault

_LINE = re.compile(r"(?P<indent> *)(?P<name>\w+)(?P<times>\?|\+|\*\d*)?(?: (?P<form>\S+))?")
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
# What is rare is looked for at once, and told place by place only where a message has it.
_NAMESPACED = etree.XPath("(descendant::*[namespace-uri()])[1]")
_ATTRIBUTED = etree.XPath("boolean(descendant-or-self::*[@*])")
_MIXED = etree.XPath("boolean(descendant-or-self::*[*][text()[normalize-space()]])")


@dataclass(frozen=True)
class Part:
    """One element of a structure: how often it may stand there, and its text's form or its own parts."""

    name: str
    low: int
    high: int | None
    form: str | None
    parts: "tuple[Part, ...]"

    @cached_property
    def by_name(self) -> "dict[str, tuple[int, Part]]":
        """Its parts, and the place of each in their order."""
        return {part.name: (index, part) for index, part in enumerate(self.parts)}

    @cached_property
    def needed(self) -> "tuple[Part, ...]":
        """The parts that have to be there."""
        return tuple(part for part in self.parts if part.low)


def has_form(form: str, text: str | None) -> bool:
    """Tell whether an element's text has a form of `ens_structures.FORMS`."""
    value = (text or "") if form == "tin" else collapsed(text)
    if FORMS[form][0].fullmatch(value) is None:
        return False
    return form != "decimal" or _fits(value)


def _fits(text: str) -> bool:
    """XML Schema counts the digits of the number, not of the text: 1.000 has one."""
    try:
        _, digits, exponent = Decimal(text).normalize().as_tuple()
    except InvalidOperation:  # more digits than the decimal context has
        return False
    places = -exponent if isinstance(exponent, int) else 0
    return len(digits) + max(-places, 0) <= 11 and places <= 3


@cache
def structure(message: str) -> Part:
    """Return a message of `ens_structures.STRUCTURES`."""
    lines = [found for line in STRUCTURES[message].splitlines() if (found := _LINE.fullmatch(line.rstrip()))]
    return Part(message, 1, 1, None, tuple(_parts(lines, 0, 0)[0]))


def _parts(lines: list[re.Match[str]], start: int, indent: int) -> tuple[list[Part], int]:
    parts: list[Part] = []
    index = start
    while index < len(lines) and len(lines[index]["indent"]) == indent:
        line = lines[index]
        low, high = _times(line["times"])
        below: tuple[Part, ...] = ()
        form = line["form"]
        index += 1
        if form in ("trader", "trader-with-tin"):
            below, form = _trader_parts(line["name"], with_tin=form == "trader-with-tin"), None
        elif form is None:
            inner, index = _parts(lines, index, indent + 2)
            below = tuple(inner)
        parts.append(Part(line["name"], low, high, form, below))
    return parts, index


def _times(mark: str | None) -> tuple[int, int | None]:
    if mark is None:
        return 1, 1
    if mark == "?":
        return 0, 1
    return (1, None) if mark == "+" else (0, int(mark[1:]) if mark[1:] else None)


def _trader_parts(group: str, *, with_tin: bool) -> tuple[Part, ...]:
    trader = TRADERS[group]
    return tuple(
        Part(name, int(with_tin and name == trader.tin), 1, form, ())
        for name, form in zip(trader.fields, TRADER_FORMS, strict=True)
    )


def faults_of_form(message: Element) -> Iterator[Fault]:
    """Yield what is wrong with the form of a message whose root's local name is in `STRUCTURES`."""
    name = local_name(message)
    if namespace(message) != NAMESPACE_PREFIX + name:
        yield Fault("ens-namespace", place_of(message), f"the namespace is {NAMESPACE_PREFIX}{name}")
    found: Any = _NAMESPACED(message)
    for inner in found:
        yield Fault("ens-namespace", place_of(inner), "elements below the root have no namespace")
    if _ATTRIBUTED(message):
        yield from _faults_of_attributes(message)
    if _MIXED(message):
        yield from _faults_of_mixture(message)
    yield from _check_group(message, structure(name))


def _check_group(group: Element, whole: Part) -> Iterator[Fault]:
    counts: dict[str, int] = {}
    reached = 0
    for element in group:
        name = element.tag if element.tag in whole.by_name else local_name(element)
        index, part = whole.by_name.get(name, (0, None))
        if part is None:
            yield Fault("ens-unexpected", place_of(element), "the schema knows no such element here")
            continue
        if index < reached:
            yield Fault("ens-order", place_of(element), "this element stands after others that it has to precede")
        reached = index
        counts[name] = count = counts.get(name, 0) + 1
        if part.high is not None and count == part.high + 1:
            yield Fault("ens-repeats", place_of(element), f"this element stands here at most {part.high} times")
        if part.form is None:
            yield from _check_group(element, part)
        elif len(element):
            yield Fault("ens-unexpected", place_of(element), "this element holds text only")
        elif not has_form(part.form, element.text):
            yield Fault("ens-form", place_of(element), f"the text is not {FORMS[part.form][1]}")
    if not len(group) and collapsed(group.text):
        yield Fault("ens-unexpected", place_of(group), "text stands where the elements of a group should")
    for part in whole.needed:
        if counts.get(part.name, 0) < part.low:
            yield Fault("ens-missing", place_of(group), f"{part.name} is required")


def _faults_of_attributes(message: Element) -> Iterator[Fault]:
    for element in message.iter():
        if any(not str(name).startswith(_INSTANCE) for name in element.attrib):
            yield Fault("ens-unexpected", place_of(element), "the schema knows no attributes")


def _faults_of_mixture(message: Element) -> Iterator[Fault]:
    for element in message.iter():
        if len(element) and (collapsed(element.text) or any(collapsed(inner.tail) for inner in element)):
            yield Fault("ens-unexpected", place_of(element), "text stands between the elements of a group")
