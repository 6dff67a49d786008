"""What the formats of DCSA share: places, transports, references, containers.

Owns how single values are checked and what is warned of. Never knows which event they belong to.
"""

import functools
import re
from typing import Any

from adapters.document import Identifiers
from adapters.json_document import Node
from adapters.profile import Profile
from schemas.base import present
from schemas.codes import (
    container_warning,
    equipment_number,
    has_container_form,
    is_country,
    is_locode,
    normal_identifier,
)
from schemas.shipment import Document as Paper
from schemas.shipment import Equipment, Identifier, Means, Place, Transport

FAMILY = "dcsa"
# The longest identifier, and how many of them leave a message below its limit of 1 MiB.
MAX_REFERENCE = 256
MAX_REFERENCES = 2_000
# A carrier's code in SMDG's list has three characters, a standard carrier alpha code of the NMFTA two to four letters.
CARRIER = re.compile(r"[A-Z0-9]{2,4}")
# A response holds what one query found; carriers page them by hundreds.
MAX_EVENTS = 10_000


# A container comes again in each of its events.
_number = functools.lru_cache(maxsize=4096)(equipment_number)
_oddity = functools.lru_cache(maxsize=4096)(container_warning)


def locode(node: Node) -> str | None:
    """Read UNLocationCode; a fault where it is none, since who may see an event hangs on its place."""
    code = (node.text("UNLocationCode") or "").upper()
    if not code:
        return None
    if not is_locode(code):
        node.fault("locode", "UNLocationCode", "not a UN/LOCODE: a country of ISO 3166-1 and three characters")
        return None
    return code


def place(*nodes: Node | None) -> Place | None:
    """Read where it happened: each part from the first of these locations that has it."""
    parts: dict[str, Any] = {}
    for node in nodes:
        if node is None:
            continue
        address = node.node("address")
        country = ((address.text("countryCode") or address.text("country")) if address else None) or ""
        found = present(
            locode=locode(node),
            country=country.upper() if is_country(country.upper()) else None,
            name=node.text("locationName"),
            facility=_facility(node),
        )
        parts = found | parts
    if not parts:
        return None
    if "locode" in parts:
        parts.setdefault("country", parts["locode"][:2])
    return Place(**parts)


def _facility(node: Node) -> str | None:
    """A facility by its list and code, as SMDG:ADT: the code alone says nothing; else its name."""
    inner = node.node("facility") or node
    code, provider = inner.text("facilityCode"), inner.text("facilityCodeListProvider")
    if code:
        return f"{provider}:{code}" if provider else code
    return inner.text("facilityName") or node.text("otherFacility")


class References:
    """The references of one event, in the order in which they are carried: containers, seals, documents, others."""

    def __init__(self, profile: Profile, node: Node) -> None:
        self._profile, self._node = profile, node
        self._left = MAX_REFERENCES
        self.identifiers = Identifiers()
        self.papers: list[Paper] = []
        self._noted: set[tuple[str, str]] = set()
        self._numbers: set[str] = set()
        self._pending: list[tuple[Any, str, str | None]] = []

    def container(self, number: str | None, node: Node, name: str) -> str | None:
        """Take a container or other equipment; return its number in normal form."""
        normal = _number(number or "")
        if normal in self._numbers:
            return normal
        if not normal or not self._room(normal):
            return None
        self._numbers.add(normal)
        odd = _oddity(normal)
        if odd:
            node.warn("container", name, odd)
        self.identifiers.add("container" if has_container_form(normal) else "equipment", normal)
        return normal

    def equipment(self, number: str, type_: str | None, seals: list[Node]) -> Equipment:
        """Take a container's seals; return the container with them."""
        sources = self._profile.table(FAMILY, "seal_source")
        found: dict[str, None] = {}
        for seal in seals:
            value = normal_identifier(seal.text("number") or seal.text("sealNumber") or "")
            if not value or value in found or not self._room(value):
                continue
            found[value] = None
            source = seal.text("source") or seal.text("sealSource")
            self._pending.append(("seal", value, sources.get(source or "", source)))
        return Equipment(number=number, **present(type=type_, seals=list(found)))

    def paper(self, type_: str | None, reference: str | None) -> str | None:
        """Take a reference of a document; return the type under which 3.0 knows it."""
        if type_ is None or reference is None:
            return None
        type_ = self._profile.table(FAMILY, "document_renamed").get(type_, type_)
        self._keep(type_, reference, self._profile.table(FAMILY, "document_scheme").get(type_, "other"))
        return type_

    def reference(self, type_: str | None, reference: str | None) -> None:
        """Take a reference that a party gave."""
        if type_ is not None and reference is not None:
            self._keep(type_, reference, self._profile.table(FAMILY, "reference_scheme").get(type_))

    def _keep(self, type_: str, reference: str, scheme: Any) -> None:
        if self.note(type_, reference) and scheme:
            self._pending.append((scheme, reference, None))

    def note(self, type_: str, reference: str) -> bool:
        """Take a reference that is carried and joins nothing, such as that of a port call; False if left out."""
        if not self._room(reference):
            return False
        if (type_, reference) not in self._noted:
            self._noted.add((type_, reference))
            self.papers.append(Paper(type=type_, id=reference))
        return True

    def _room(self, reference: str) -> bool:
        """Whether a reference can be carried; a cut one would be another."""
        if len(reference) > MAX_REFERENCE:
            self._node.warn("too-long", "", f"a reference has at most {MAX_REFERENCE} characters; left out")
            return False
        self._left -= 1
        if self._left == -1:
            self._node.warn("more-references", "", f"more than {MAX_REFERENCES} references; the rest is left out")
        return self._left >= 0

    def settled(self) -> list[Identifier]:
        """Return the identifiers: containers first, whatever came first in the document."""
        for scheme, value, issuer in self._pending:
            self.identifiers.add(scheme, value, issuer)
        self._pending.clear()
        return self.identifiers.as_list()

    def subject(self) -> str | None:
        """Return the reference by which the consignment is best known."""
        self.settled()
        return self.identifiers.first(
            "container", "transport-document", "mrn", "certificate", "equipment", "other", "seal"
        )


# The identifier of last resort: what moves on nobody's account but the vessel's is known by its call or itself.
CALL, VISIT = "transport-call", "port-visit"


def transport(node: Node | None, references: References, profile: Profile, *, inbound: bool) -> Transport | None:
    """Read a transport call of 2.2 or 3.0. `inbound` says which of its two voyages is the event's own."""
    if node is None:
        return None
    call = node.text("transportCallReference") or node.text("transportCallID")
    visit = node.text("portVisitReference")
    for type_, reference in ((CALL, call), (VISIT, visit)):
        if reference:
            references.note(type_, reference)
    vessel = node.node("vesselTransport") or node.node("vessel")
    mode = node.text("modeOfTransport")
    known = profile.table(FAMILY, "mode").get(mode or "")
    if mode and known is None:
        node.warn("mode", "modeOfTransport", "no mode of transport of DCSA; left out")
    parts = present(mode=known, means=_means(node, vessel), voyage=_voyage(node, inbound), carrier=_operator(vessel))
    return Transport(**parts) if parts else None


def _means(call: Node, vessel: Node | None) -> Means | None:
    rail, tractor = call.node("railTransport"), call.node("truckTransport", "tractorDetails")
    for node, name, scheme in (
        (vessel, "vesselIMONumber", "imo"),
        (vessel, "vesselName", "name"),
        (rail, "railCarReference", "wagon"),
        (tractor, "licensePlate", "registration"),
    ):
        value = node.text(name) if node else None
        if value and (scheme != "imo" or _is_imo(value, node)):
            return Means(scheme=scheme, value=value)
    return None


def _is_imo(value: str, node: Node | None) -> bool:
    if re.fullmatch(r"[0-9]{7,8}", value, re.ASCII):
        return True
    if node is not None:
        node.warn("imo", "vesselIMONumber", "an IMO number has seven digits; left out")
    return False


def _voyage(call: Node, inbound: bool) -> str | None:
    names = ("import", "export") if inbound else ("export", "import")
    for name in names:
        one = call.node(f"{name}VoyageNumberOrReference")
        title = name.capitalize()
        found = call.text(f"{name}VoyageNumber") or call.text(f"carrier{title}VoyageNumber")
        found = found or (one.text("carrierVoyageNumber") if one else None)
        found = found or (one.text("universalVoyageReference") if one else None)
        found = found or call.text(f"universal{title}VoyageReference")
        if found:
            return found
    return call.text("carrierVoyageNumber")


def _operator(vessel: Node | None) -> str | None:
    if vessel is None:
        return None
    for name in ("operatorCarrierCode", "vesselOperatorCarrierCode"):
        code = (vessel.text(name) or "").upper()
        if CARRIER.fullmatch(code):
            return code
        if code:
            vessel.warn("carrier", name, "a carrier's code has two to four letters or digits; left out")
    return None


def last_resort(references: References, means: Means | None) -> bool:
    """Give an event that is a conveyance's own the reference of its call, else its IMO number; False without any."""
    if references.settled():
        return True
    for type_ in (CALL, VISIT):
        for paper in references.papers:
            if paper.type == type_:
                references.identifiers.add("other", paper.id)
                return True
    if means is not None and means.scheme == "imo":
        references.identifiers.add("other", f"IMO{means.value}")
        return True
    return False
