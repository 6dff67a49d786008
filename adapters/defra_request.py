"""Clearance requests: what HMRC's customs service sends to Defra when a declaration needs Defra's decision.

Owns the mapping of ALVSClearanceRequest (sendALVSClearanceRequest.xsd), of its JSON on the queues and of
clearanceRequest in the trade imports data API. Never decides which checks are right for which document.
"""

from typing import Any

from adapters.defra_parts import Part
from adapters.defra_values import (
    add_entry,
    add_ucr,
    codes,
    country,
    document_of,
    enough,
    tariff,
    when,
    whole,
)
from adapters.document import Findings, Identifiers, Origin
from adapters.records import Record
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present
from schemas.codes import is_locode, normal_identifier
from schemas.shipment import Document as Paper
from schemas.shipment import Goods, Party, Place

# The schema numbers items to 999.
MAX_ITEMS = 999
# 999 items with five documents each; what is more fits into no message.
MAX_PAPERS = 5000
# A declaration of version n is the n-th; decisions on it are numbered to 9999 (trade-imports-processor).
DECISIONS_A_VERSION = 10_000


def read_request(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    """Read a clearance request; the first version declares, a later one amends."""
    record = part.record
    if record is None:
        return []
    header = record.first("Header") or record
    identifiers = Identifiers()
    entry = add_entry(header.text("EntryReference") or part.reference, header, identifiers)
    add_ucr(header.text("DeclarationUCR"), header, identifiers)
    add_ucr(header.text("MasterUCR"), header, identifiers)
    version = whole(header, "EntryVersionNumber", "externalVersion", most=9999)
    before = whole(header, "PreviousVersionNumber", "previousExternalVersion", most=9999)
    goods, papers, parties = _items(record, identifiers, origin, findings)
    if not identifiers:
        record.fault("no-identifier", "neither an entry reference nor a UCR nor a document")
        return []
    moment, assumed = when(record.first("ServiceHeader") or record, origin, findings, "ServiceCallTimestamp",
                           "messageSentAt")  # fmt: skip
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            place=_place(header),
            parties=list(dict.fromkeys([*_declarants(header), *parties])),
            goods=goods,
            documents=list(dict.fromkeys(papers)),
        )
    )
    amended = before is not None or (version or 1) > 1
    subject = entry or identifiers.first("ucr", "certificate", "other") or ""
    return [
        Draft(f"shipment.{'amended' if amended else 'declared'}", subject, moment, data, attributes(record, version))
    ]


def attributes(record: Record, version: int | None, decision: int | None = None) -> dict[str, Any]:
    """The envelope's attributes: the call's number, and a sequence that rises with each version and decision."""
    header = record.first("ServiceHeader") or record
    call = header.text("CorrelationId", "externalCorrelationId", limit=256)
    sequence = None if version is None else version * DECISIONS_A_VERSION + (decision or 0)
    return present(correlationid=call, sequence=sequence)


def _items(
    record: Record, identifiers: Identifiers, origin: Origin, findings: Findings
) -> tuple[list[Goods], list[Paper], list[Party]]:
    goods: list[Goods] = []
    papers: list[Paper] = []
    parties: list[Party] = []
    authorities = codes(origin.profile, "authority")
    for at, item in enumerate(record.all("Item", "Items", "commodities")):
        if at == MAX_ITEMS:
            item.fault("too-many", f"a declaration has at most {MAX_ITEMS} items")
        if at >= MAX_ITEMS or enough(findings):
            break
        goods.append(_goods(item))
        for document in item.all("Document", "Documents"):
            reference, code = document.text("DocumentReference", limit=256), document.text("DocumentCode")
            if reference is not None and len(papers) == MAX_PAPERS:
                document.fault("too-many", f"a declaration has at most {MAX_PAPERS} documents")
            if reference is not None and len(papers) >= MAX_PAPERS:
                return goods, papers, parties
            if reference is not None:
                papers.append(document_of(code, reference, origin.profile, identifiers))
        consignee = present(id=item.text("ConsigneeId"), name=item.text("ConsigneeName"))
        if consignee:
            parties.append(Party(role="consignee", **consignee))
        for check in item.all("Check", "Checks"):
            code = check.text("CheckCode")
            if code is None:
                continue
            if code not in authorities:
                check.warn("check-code", "not a check that Defra's list has", "CheckCode")
            name = check.text("DepartmentCode") or authorities.get(code)
            parties.append(Party(**present(role="checking-authority", id=code, name=name)))
    if not goods:
        record.warn("missing", "a declaration has items", "Item")
    return goods, papers, parties


def _goods(item: Record) -> Goods:
    return Goods(
        **present(
            item=whole(item, "ItemNumber", most=99_999),
            hs=tariff(item, "TaricCommodityCode"),
            description=item.text("GoodsDescription", limit=8192),
            origin=country(item, "ItemOriginCountryCode", "originCountryCode"),
        )
    )


def _declarants(header: Record) -> list[Party]:
    declarant = present(id=header.text("DeclarantId"), name=header.text("DeclarantName"))
    found = [Party(role="declarant", **declarant)] if declarant else []
    submitter = header.text("SubmitterTURN")
    return [*found, Party(role="submitter", id=submitter)] if submitter else found


def _place(header: Record) -> Place | None:
    """Where the goods are: customs codes of British places, of which some are UN/LOCODEs."""
    code = header.text("GoodsLocationCode")
    if code is None:
        return None
    normal = normal_identifier(code)
    locode = normal if is_locode(normal) and normal.startswith("GB") else None
    return Place(**present(locode=locode, country="GB", facility=None if locode else code))
