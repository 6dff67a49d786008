"""Groups of an ICS message: an element with its fields at hand.

Owns how a text is read: blanks collapsed, and no text where nothing is left. Never knows what a field means.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from adapters.document import Element, local_name
from adapters.ens_structures import NAMES

ITEM = "GOOITEGDS"
_BLANKS = " \t\r\n"
_RUN = re.compile(r"[ \t\r\n]+")


def collapsed(text: str | None) -> str:
    """Return text with blanks as XML Schema's token has them: collapsed, and none at the ends."""
    if not text:
        return ""
    # Of ASCII, XML has no other blanks than these.
    return " ".join(text.split()) if text.isascii() else _RUN.sub(" ", text.strip(_BLANKS))


class Group:
    """An element, with the first of its children by each name that an ICS message has."""

    __slots__ = ("_first", "_repeated", "element")

    def __init__(self, element: Element | None) -> None:
        self.element = element
        self._first: dict[str, Element] = {}
        self._repeated: frozenset[str] = frozenset()
        for field in element if element is not None else ():
            # As a rule it is of no name space, and known.
            name = field.tag if field.tag in NAMES else local_name(field)
            if name not in NAMES or self._first.setdefault(name, field) is field:
                continue
            if name not in self._repeated:
                self._repeated |= {name}

    def has(self, name: str) -> bool:
        """Tell whether there is such a child."""
        return name in self._first

    def field(self, name: str) -> Element | None:
        """Return the first child of that name."""
        return self._first.get(name)

    def value(self, name: str) -> str | None:
        """Return the collapsed text of the first child of that name; None where it is absent or empty."""
        found = self._first.get(name)
        return None if found is None else collapsed(found.text) or None

    def group(self, name: str) -> "Group":
        """Return the first child of that name; one without fields where there is none."""
        return Group(self._first.get(name))

    def fields(self, name: str) -> Iterable[Element]:
        """Return every child of that name, one by one: a hostile document has a hundred thousand of them."""
        if name in self._repeated and self.element is not None:
            several: Iterable[Element] = self.element.iterchildren(f"{{*}}{name}")
            return several
        return (self._first[name],) if name in self._first else ()

    def count(self, name: str) -> int:
        """Tell how many children of that name there are."""
        return sum(1 for _ in self.fields(name))

    def groups(self, name: str) -> "Iterator[Group]":
        """Yield every child of that name as a group."""
        return map(Group, self.fields(name))


class IcsMessage(Group):
    """A whole message, whose header and goods items are found once."""

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        self.root = root
        self.name = local_name(root)

    @cached_property
    def header(self) -> Group:
        """The header, HEAHEA."""
        return self.group("HEAHEA")

    @cached_property
    def items(self) -> list[Group]:
        """The goods items."""
        return list(self.groups(ITEM))
