"""Persons of passenger lists and bookings: carried as parties where the profile says so, else never looked at.

Owns the profile's switches (family `edifact`, section `persons`) and what a person's segments tell: name, travel
document, nationality. Never reads birth, seats, luggage, contacts or payment, and never warns or faults about a
person: nothing of one may stand in either.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from adapters.edifact_syntax import Segment
from adapters.edifact_values import Context, components, short
from schemas.base import present
from schemas.codes import is_country
from schemas.shipment import Document, Party

CARRIED = "carried"
# With a document each, this many fit into a message (1 MiB). The largest ships hold more; their lists come in parts.
MAX_PERSONS = 5000
# A passport, a visa and what else a list has of one person (PAXLST: 5).
_MAX_DOCUMENTS = 5
# What airlines write behind a given name, often without a blank.
_TITLE = re.compile(r"(?:MRS|MR|MISS|MSTR|MS|DR)$")
# Of a SSR's text under DOCS, parted by slashes: type, issuer, number, nationality; surname and given name.
_DOCS = 4
_DOCS_NAMES = (8, 9)


@dataclass(slots=True)
class _Person:
    role: str
    name: str = ""
    country: str = ""
    documents: list[Document] = field(default_factory=list)


class Persons:
    """The persons of one message, as far as the profile lets them be carried."""

    def __init__(self, context: Context) -> None:
        said = context.table("persons")
        self._names = said.get("names") == CARRIED
        self._documents = said.get("documents") == CARRIED
        self._nationalities = said.get("nationalities") == CARRIED
        self.carried = self._names or self._documents or self._nationalities
        """Whether anything is; where nothing is, no segment of a person may be given to this class."""
        self._context = context
        self._roles = context.table("traveller")
        self._found: list[_Person] = []
        self._current: _Person | None = None
        self._booking: dict[tuple[str, str], _Person] = {}
        self._left_out = False

    def take(self, segment: Segment) -> None:
        """Take a segment of a passenger list (PAXLST): NAD begins a person, what follows belongs to it."""
        if segment.tag == "NAD":
            role = self._roles.get(segment.get(1))
            name = " ".join(components(segment, 4) or components(segment, 3))
            self._current = self._add(str(role), name) if role else None
        elif self._current is None:
            return
        elif segment.tag == "NAT" and not self._current.country:
            self._current.country = alpha_2(segment.get(2))
        elif segment.tag == "DOC":
            self._add_document(self._current, segment.get(1), segment.get(2), "")
        elif segment.tag == "LOC" and segment.get(1) == "91" and self._current.documents:
            last = self._current.documents[-1]
            if last.issuer is None and (issuer := short(segment.get(2))):
                self._current.documents[-1] = Document(id=last.id, issuer=issuer, **present(type=last.type))

    def take_booking(self, segment: Segment) -> None:
        """Take a segment of bookings (PNRGOV): TIF names travellers, SSR under DOCS their documents."""
        if segment.tag == "RCI":
            self._booking = {}
        elif segment.tag == "TIF":
            surname = segment.get(1)
            for given in [one[0] for one in segment.elements[2:] if one] or [""]:
                self._of_booking(surname, given.strip())
        elif segment.tag == "SSR" and segment.get(1) == "DOCS":
            text = next((one for composite in segment.elements[1:] for one in composite if one[:1] == "/"), "")
            parts = [one.strip() for one in text.split("/")]
            if len(parts) <= _DOCS:
                return
            surname, given = (parts[index] if index < len(parts) else "" for index in _DOCS_NAMES)
            person = self._of_booking(surname, given)
            if person is not None:
                person.country = person.country or alpha_2(parts[4])
                self._add_document(person, parts[1], parts[3], parts[2])

    def parties(self) -> list[Party]:
        """Return the persons, with what is carried of each."""
        return [party for one in self._found if (party := self._party(one)) is not None]

    def documents(self) -> list[Document]:
        """Return their travel documents, each once, where these are carried."""
        if not self._documents:
            return []
        return list({(one.type, one.id, one.issuer): one for one in self._every_document()}.values())

    def _every_document(self) -> Iterator[Document]:
        for person in self._found:
            yield from person.documents

    def _party(self, person: _Person) -> Party | None:
        told = present(
            name=person.name if self._names else None,
            id=person.documents[0].id if self._documents and person.documents else None,
            country=person.country if self._nationalities else None,
        )
        return Party(role=person.role, **told) if told else None

    def _add(self, role: str, name: str) -> _Person | None:
        if len(self._found) >= MAX_PERSONS:
            if not self._left_out:
                place = self._context.heading.place
                self._context.findings.warn("too-many-persons", place, f"beyond {MAX_PERSONS} they are left out")
            self._left_out = True
            return None
        person = _Person(role, short(name))
        self._found.append(person)
        return person

    def _add_document(self, person: _Person, kind: str, number: str, issuer: str) -> None:
        number = "".join(number.split())[:256]
        if number and len(person.documents) < _MAX_DOCUMENTS:
            person.documents.append(Document(id=number, **present(type=short(kind), issuer=short(issuer))))

    def _of_booking(self, surname: str, given: str) -> _Person | None:
        """Return the traveller of this booking under that name, blanks and titles aside; a new one if there is none."""
        key = "".join(surname.split()).upper(), _TITLE.sub("", "".join(given.split()).upper())
        found = self._booking.get(key) or self._add("passenger", f"{surname} {given}")
        if found is not None:
            self._booking[key] = found
        return found


@lru_cache(maxsize=512)
def alpha_2(code: str) -> str:
    """Return a country's code of two letters for that of three (ISO 3166-1) that travel documents have."""
    import pycountry

    code = code.strip().upper()
    # Doc 9303 of ICAO writes Germany so.
    code = "DEU" if code == "D" else code
    found = pycountry.countries.get(alpha_3=code) if len(code) == 3 else None
    return str(found.alpha_2) if found is not None else code if is_country(code) else ""
