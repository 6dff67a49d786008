"""What a message of NCTS says of goods, containers, parties and papers, wherever in it they stand.

Owns those fields of the canonical body. Never says what happened: that is `ncts_read`.
"""

import re
from collections.abc import Iterator

from adapters.document import Element, Findings, Identifiers, child, children, local_name, text
from adapters.ncts_codes import DOCUMENTS, FAMILY, OFFICES, PARTIES, REFERENCES
from adapters.profile import Profile
from adapters.waybills import air_waybill
from schemas.base import present
from schemas.codes import container_warning, equipment_number, has_container_form, is_country, normal_identifier
from schemas.shipment import Document as Accompanying
from schemas.shipment import Equipment, Goods, Means, Party, Scheme, Transport

_MASS = re.compile(r"(?:[0-9]{1,16}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_MODE = re.compile(r"[0-9]", re.ASCII)
_UNTDID = re.compile(r"N[0-9]{3}", re.ASCII)
_MEANS = ("ActiveBorderTransportMeans", "DepartureTransportMeans", "TransportMeans")
_GROUPS = frozenset({*PARTIES, *OFFICES, *DOCUMENTS, *_MEANS, "TransportEquipment", "ConsignmentItem",
                     "AdditionalSupplyChainActor"})  # fmt: skip
_REFERRING = frozenset({*REFERENCES, *DOCUMENTS, *_MEANS, "containerIdentificationNumber", "Seal"})


def all_at(element: Element, path: str) -> Iterator[Element]:
    """Yield every element at a path of local names, in document order."""
    name, _, rest = path.partition("/")
    for found in children(element, name):
        if rest:
            yield from all_at(found, rest)
        else:
            yield found


class Content:
    """A message as what it says of a consignment; looked through once."""

    def __init__(self, root: Element, profile: Profile, findings: Findings, identifiers: Identifiers) -> None:
        self.root = root
        self.profile = profile
        self.findings = findings
        self.identifiers = identifiers
        self.consignment = child(root, "Consignment")
        self.groups: dict[str, list[Element]] = {}
        self._referring: list[tuple[str, Element]] = []
        for element in root.iter():
            name = local_name(element)
            if name in _GROUPS:
                self.groups.setdefault(name, []).append(element)
            if name in _REFERRING:
                self._referring.append((name, element))

    def _all(self, *names: str) -> Iterator[Element]:
        for name in names:
            yield from self.groups.get(name, ())

    def gather_identifiers(self) -> None:
        """Add every reference of goods, documents, containers, seals and vehicles."""
        add = self.identifiers.add
        land_vehicles = self.profile.table(FAMILY, "land-vehicle")
        for name, element in self._referring:
            if name in REFERENCES:
                add(REFERENCES[name], text(element))
            elif name == "containerIdentificationNumber":
                self._add_container(element)
            elif name == "Seal":
                add("seal", text(element, "identifier"))
            elif name in DOCUMENTS:
                kind, number = text(element, "type") or "", text(element, "referenceNumber") or ""
                scheme = self._document_scheme(name, kind)
                if scheme is not None:
                    add(scheme, air_waybill(number, kind.upper()))
            elif name in _MEANS and text(element, "typeOfIdentification") in land_vehicles:
                add("equipment", text(element, "identificationNumber"))

    def _document_scheme(self, group: str, code: str) -> Scheme | None:
        if group == "TransportDocument":
            return "transport-document"
        if (known := self._known_document(code.upper())) is not None:
            return known
        if group == "PreviousDocument":
            return "mrn" if code.upper() in self.profile.table(FAMILY, "declaration") else "other"
        # Licences, invoices and the like; authorisations of a trader tell no consignment from another.
        return "other" if group == "SupportingDocument" else None

    def _known_document(self, code: str) -> Scheme | None:
        kind = code[1:] if _UNTDID.fullmatch(code) else code
        found: Scheme | None = self.profile.table(FAMILY, "document").get(kind)
        return found

    def _add_container(self, field: Element) -> None:
        number = equipment_number(field.text or "")
        if not number:
            return
        if (oddity := container_warning(number)) is not None:
            self.findings.warn_at("container-number", field, oddity)
        self.identifiers.add("container" if has_container_form(number) else "equipment", number)

    def equipment(self) -> list[Equipment]:
        """Return the containers with their seals; seals without a container are among the identifiers alone."""
        found: dict[str, list[str]] = {}
        for group in self._all("TransportEquipment"):
            number = normal_identifier(text(group, "containerIdentificationNumber") or "")
            if number and len(number) <= 256:
                seals = found.setdefault(number, [])
                told = (normal_identifier(text(seal, "identifier") or "") for seal in children(group, "Seal"))
                seals.extend(seal for seal in told if seal and len(seal) <= 256 and seal not in seals)
        return [Equipment(**present(number=number, seals=seals)) for number, seals in found.items()]

    def transport(self) -> Transport | None:
        """Return mode and means at the border; where it names none, those inland."""
        means = [group for group in self._all(*_MEANS) if text(group, "identificationNumber") is not None]
        first = means[0] if means else None
        voyage = next((told for group in means if (told := text(group, "conveyanceReferenceNumber"))), None)
        mode = text(self.consignment, "modeOfTransportAtTheBorder") or text(self.consignment, "inlandModeOfTransport")
        carrier = next(self._all("Carrier"), None)
        found = present(
            mode=mode if mode is not None and _MODE.fullmatch(mode) else None,
            means=self._means(first) if first is not None else None,
            voyage=voyage[:512] if voyage else None,
            carrier=(text(carrier, "identificationNumber") or text(carrier, "name") or "")[:512]
            if carrier is not None
            else None,
        )
        return Transport(**found) if found else None

    def _means(self, group: Element) -> Means:
        schemes = self.profile.table(FAMILY, "means")
        scheme = schemes.get(text(group, "typeOfIdentification") or "", "other")
        return Means(scheme=scheme, value=(text(group, "identificationNumber") or "")[:512])

    def parties(self) -> list[Party]:
        """Return traders and customs offices, each once, in the order of their groups."""
        found = [
            party for name, role in PARTIES.items() for group in self._all(name) if (party := self._party(group, role))
        ]
        actors = self.profile.table(FAMILY, "actor")
        for group in self._all("AdditionalSupplyChainActor"):
            if (party := self._party(group, actors.get(text(group, "role") or "", "supply-chain-actor"))) is not None:
                found.append(party)
        for name, role in OFFICES.items():
            for group in self._all(name):
                number = text(group, "referenceNumber")
                if number is not None:
                    country = number[:2] if is_country(number[:2]) else None
                    found.append(Party(role=role, **present(id=number[:512], country=country)))
        return list(dict.fromkeys(found))

    def _party(self, group: Element, role: str) -> Party | None:
        address = child(group, "Address")
        country = text(address, "country")
        if country is not None and not is_country(country):
            self.findings.warn_at("country", address, "is no ISO 3166-1 code, and is left out", "country")
            country = None
        line = ", ".join(
            part for name in ("streetAndNumber", "postcode", "city") if (part := text(address, name)) is not None
        )
        number = text(group, "identificationNumber") or text(group, "TIRHolderIdentificationNumber") or ""
        found = present(id=number[:512], name=(text(group, "name") or "")[:512], country=country, address=line[:512])
        return Party(role=role, **found) if found else None

    def goods(self) -> list[Goods]:
        """Return the goods items of all house consignments, by the number that they have in the declaration."""
        return [self._item(item) for item in self._all("ConsignmentItem")]

    def _item(self, item: Element) -> Goods:
        commodity = child(item, "Commodity")
        number = text(item, "declarationGoodsItemNumber") or text(item, "goodsItemNumber")
        mass = text(commodity, "GoodsMeasure", "grossMass")
        if mass is not None and _MASS.fullmatch(mass) is None:
            self.findings.warn_at("mass", item, "the gross mass is no decimal number of kilograms, and is left out")
            mass = None
        un_number = text(commodity, "DangerousGoods", "UNNumber")
        if un_number is not None and re.fullmatch(r"[0-9]{4}", un_number, re.ASCII) is None:
            self.findings.warn_at("un-number", item, "the UN number has other than four digits: left out")
            un_number = None
        description = text(commodity, "descriptionOfGoods")
        return Goods(
            **present(
                item=int(number) if number and _COUNT.fullmatch(number) else None,
                hs=self._commodity_code(item, commodity), description=description[:8192] if description else None,
                gross_mass_kg=float(mass) if mass else None, packages=_packages(item), un_number=un_number,
            )
        )  # fmt: skip

    def _commodity_code(self, item: Element, commodity: Element | None) -> str | None:
        codes = child(commodity, "CommodityCode")
        heading, rest = text(codes, "harmonizedSystemSubHeadingCode"), text(codes, "combinedNomenclatureCode")
        if heading is None:
            return None
        if re.fullmatch(r"[0-9]{2,8}", heading, re.ASCII) is None:
            self.findings.warn_at("commodity", item, "the commodity code is no number of 2 to 8 digits: left out")
            return None
        return heading + rest if rest and re.fullmatch(r"[0-9]{2}", rest, re.ASCII) else heading

    def documents(self) -> list[Accompanying]:
        """Return the documents that have a number, each once."""
        found = [
            Accompanying(**present(type=text(group, "type"), id=number[:512]))
            for group in self._all(*DOCUMENTS)
            if (number := text(group, "referenceNumber")) is not None and len(text(group, "type") or "") <= 512
        ]
        return list(dict.fromkeys(found))


def _packages(item: Element) -> int | None:
    """How many packages there are; None where none are counted."""
    counts = [text(package, "numberOfPackages") for package in children(item, "Packaging")]
    told = [int(count) for count in counts if count is not None and _COUNT.fullmatch(count)]
    return sum(told) if told and sum(told) <= 10**9 else None
