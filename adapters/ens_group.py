"""Groups of an ICS message: an element with its fields at hand.

Owns how a text is read: blanks collapsed, and no text where nothing is left. Never knows what a field means.
"""

import re
from functools import cached_property

from adapters.document import Element, children, local_name
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

    def __init__(self, element: Element | None) -> None:
        self.element = element
        self._first: dict[str, Element] = {}
        for field in element if element is not None else ():
            name = field.tag
            # As a rule it is of no name space, and known.
            if name in NAMES or (name := local_name(field)) in NAMES:
                self._first.setdefault(name, field)

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

    def fields(self, name: str) -> list[Element]:
        """Return every child of that name."""
        return children(self.element, name) if name in self._first else []

    def groups(self, name: str) -> list["Group"]:
        """Return every child of that name as a group."""
        return [Group(found) for found in self.fields(name)]


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
        return self.groups(ITEM)
