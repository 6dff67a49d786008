"""DCSA: what ocean carriers tell of containers and vessels, in JSON.

Owns the five translators and how they tell their documents apart. Track & Trace is read in 2.2 and 3.0 and written
in 3.0; notices, schedules, port calls and VGM declarations are read only.
"""

from collections.abc import Callable
from typing import Any

from adapters.dcsa_calls import read_port_calls, read_schedules
from adapters.dcsa_events import read_events
from adapters.dcsa_notices import read_declarations, read_notices
from adapters.dcsa_write import write_events
from adapters.document import Document, Origin
from adapters.json_document import load, looks_like_json
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Reading, Translator
from schemas import Message
from schemas.errors import Fault, TranslationError

Reader = Callable[[Any, Origin], Reading]


class Dcsa:
    """One of DCSA's interfaces, known by the names that its objects must have."""

    can_read = True
    suffix = ".json"

    def __init__(self, name: str, title: str, marks: tuple[tuple[bytes, ...], ...], reader: Reader) -> None:
        self.name, self.title = name, title
        self.can_write = name == "dcsa-tnt"
        self._marks, self._reader = marks, reader

    def recognise(self, document: Document) -> float:
        """Sure where every name of one of its marks stands in a JSON text."""
        if not looks_like_json(document):
            return 0.0
        return 0.9 if any(all(name in document.content for name in mark) for mark in self._marks) else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read what it says of containers and conveyances."""
        return self._reader(load(document), origin)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write Track & Trace 3.0; the others are the carriers' to write."""
        if not self.can_write:
            raise TranslationError([Fault("cannot-write", "", f"{self.name} is read only; dcsa-tnt is written")])
        return write_events(message, profile)


TRANSLATORS: tuple[Translator, ...] = (
    Dcsa(
        "dcsa-tnt",
        "DCSA Track & Trace 2.2 and 3.0; written in 3.0",
        ((b'"eventClassification"', b'"eventTypeCode"'), (b'"eventType"', b'"eventClassifierCode"')),
        read_events,
    ),
    Dcsa(
        "dcsa-an",
        "DCSA Arrival Notice 1.0",
        ((b'"arrivalNotices"',), (b'"arrivalNoticeNotifications"',)),
        read_notices,
    ),
    Dcsa("dcsa-ovs", "DCSA Operational Vessel Schedules 3.0", ((b'"vesselSchedules"',),), read_schedules),
    Dcsa("dcsa-port-call", "DCSA Port Call 2.0", ((b'"portCallService"', b'"events"'),), read_port_calls),
    Dcsa("dcsa-vgm", "DCSA Verified Gross Mass 1.0", ((b'"VGMDeclarations"',),), read_declarations),
)
