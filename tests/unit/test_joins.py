"""A consignment meets itself: one reference, as each system writes it, is the same identifier from every format."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.document import Document, Origin
from adapters.formats import recognise
from adapters.translator import messages
from tests.edifact_documents import CARGO_REPORT
from tests.entry_summaries import NEW
from tests.unit.test_dcsa import boxed, event_2
from tests.unit.test_epcis import OBJECT, document, event, xml
from tests.unit.test_n42 import alarm, characteristic, modern, nuclide
from tests.unit.test_sps import certificate
from tests.unit.test_wco import wrapped

BOX = "CSQU3054383"
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))
USED = "<r:UtilizedSPSTransportEquipment><r:ID>CSQU 305438/3</r:ID></r:UtilizedSPSTransportEquipment>"
ITEM = (
    "<RadItemInformation id='i1'><RadItemDescription>container</RadItemDescription><RadItemCharacteristics>"
    + characteristic("Container Number", "csqu 305438-3")
    + "</RadItemCharacteristics></RadItemInformation>"
)
WCO = (
    "<Declaration><FunctionCode>9</FunctionCode><FunctionalReferenceID>L1</FunctionalReferenceID><GoodsShipment>"
    "<Consignment><TransportEquipment><ID>CSQU 305438 3</ID></TransportEquipment></Consignment></GoodsShipment>"
    "</Declaration>"
)
HELD = boxed("CUSI") | {"equipmentDetails": {"equipmentReference": BOX, "ISOEquipmentCode": "22G1"}}
CAP = (
    '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>A1</identifier><sender>s@example.org</sender>'
    "<sent>2026-03-01T00:00:00+00:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
    "<info><category>CBRNE</category><event>radiation</event><urgency>Immediate</urgency><severity>Severe</severity>"
    "<certainty>Observed</certainty><parameter><valueName>container</valueName><value>csqu3054383</value></parameter>"
    "</info></alert>"
)
DOCUMENTS: dict[str, bytes] = {
    "edifact-cuscar": CARGO_REPORT.replace("CSQU3054383+22G1", "CSQU 305438-3+22G1").encode(),
    "wco-dec": wrapped(WCO),
    "sps-certificate": certificate(consignment=USED).encode(),
    "n42": modern(alarm("Gamma"), nuclide("Cs-137"), item=ITEM).encode(),
    "dcsa-tnt": json.dumps([HELD]).encode(),
    "epcis-json": json.dumps(document(event(epcList=[f"urn:epc:id:bic:{BOX}"]))).encode(),
    "epcis-xml": xml("1.2", OBJECT),
    "cap": CAP.encode(),
}


def references(content: bytes) -> tuple[str, list[Any]]:
    found = Document(content)
    translator, _ = recognise(found)
    return translator.name, messages(translator, found, ORIGIN)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_container_meets_itself_in_every_format_that_has_containers(name: str) -> None:
    recognised, found = references(DOCUMENTS[name])
    assert recognised == name, "found by its content among all formats"
    about = [one for message in found for one in getattr(message.data, "identifiers", None) or message.data.about or ()]
    assert ("container", BOX) in {(one.scheme, one.value) for one in about}
    carried = [one.number for message in found for one in getattr(message.data, "equipment", None) or ()]
    assert not carried or BOX in carried


def test_a_transport_document_of_the_manifest_is_that_of_the_carriers_event() -> None:
    bill = "HSLTH26000417"
    more = {"documentReferences": [{"documentReferenceType": "TRD", "documentReferenceValue": bill}]}
    _, manifest = references(CARGO_REPORT.encode())
    _, events = references(json.dumps([event_2(**more)]).encode())
    for found in (manifest, events):
        values = {(one.scheme, one.value) for message in found for one in message.data.identifiers}
        assert ("transport-document", bill) in values, values


WAYBILLS: dict[str, bytes] = {
    "ens": NEW.replace("N705</DocTypDC21><DocRefDC23>BL 1", "N740</DocTypDC21><DocRefDC23>180 12345675").encode(),
    "edifact-cuscar": CARGO_REPORT.replace("RFF+BM:HSLTH26000417", "RFF+AWB:18012345675").encode(),
    "n42": modern(
        item=f"<RadItemInformation>{characteristic('Air Waybill', '180-1234 5675')}</RadItemInformation>"
    ).encode(),
    "wco-dec": wrapped(
        "<Declaration><FunctionCode>9</FunctionCode><FunctionalReferenceID>L1</FunctionalReferenceID><GoodsShipment>"
        "<PreviousDocument><ID>180 1234 5675</ID><TypeCode>740</TypeCode></PreviousDocument></GoodsShipment>"
        "</Declaration>"
    ),
    "ncts": (
        b'<n:CC015C xmlns:n="http://ncts.dgtaxud.ec" PhaseID="NCTS5.1"><preparationDateAndTime>2026-03-01T09:15:00'
        b"</preparationDateAndTime><TransitOperation><LRN>L1</LRN></TransitOperation><Consignment><TransportDocument>"
        b"<type>N741</type><referenceNumber>18012345675</referenceNumber></TransportDocument></Consignment></n:CC015C>"
    ),
    "sps-certificate": certificate(
        "<r:ReferenceSPSReferencedDocument><r:TypeCode>740</r:TypeCode><r:ID>180 12345675</r:ID>"
        "</r:ReferenceSPSReferencedDocument>"
    ).encode(),
}


@pytest.mark.parametrize("name", sorted(WAYBILLS))
def test_an_air_waybill_meets_itself_however_it_is_written(name: str) -> None:
    recognised, found = references(WAYBILLS[name])
    assert recognised == name
    assert ("transport-document", "180-12345675") in [(one.scheme, one.value) for one in found[0].data.identifiers]
