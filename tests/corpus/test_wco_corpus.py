"""The WCO translators against real documents and the standard's own schemas."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from lxml import etree

from adapters.document import Document, Findings, Origin
from adapters.translator import messages
from adapters.wco_dec import Declarations
from adapters.wco_movement import Movements
from adapters.wco_res import Responses
from adapters.xml_repair import root_of
from schemas import Message, ShipmentMessage
from schemas.errors import TranslationError
from tests.wco_messages import MESSAGES

ORIGIN = Origin("gb.customs", datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("Europe/London"))
SCHEMAS = "wco-data-model/hmrc__customs-declarations/3.0/schemas"
EXAMPLES = Path(__file__).parents[2] / "examples" / "seaport" / "documents" / "kr.customs"
# The wrapper's payload is a strict wildcard: it is only checked where the payload's schema is imported.
WRAPPER = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"
    targetNamespace="urn:wco:datamodel:WCO:DocumentMetaData-DMS:2">
  <xs:include schemaLocation="{folder}/DocumentMetaData_2_DMS.xsd"/>
  <xs:import namespace="urn:wco:datamodel:WCO:RES-DMS:2" schemaLocation="{folder}/WCO_RES_2_DMS.xsd"/>
</xs:schema>
"""


@pytest.fixture(scope="session")
def responses(corpus: Path) -> etree.XMLSchema:
    folder = (corpus / SCHEMAS / "wco" / "notification").as_uri()
    return etree.XMLSchema(etree.fromstring(WRAPPER.format(folder=folder)))


@pytest.fixture(scope="session")
def declarations(corpus: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(corpus / SCHEMAS / "customs" / "wrapper_submit.xsd")))


def documents(corpus: Path) -> Iterator[tuple[Path, Document]]:
    for path in sorted((corpus / "wco-data-model").rglob("*")):
        if path.suffix.lower() == ".xml":
            yield path, Document(path.read_bytes())


def test_every_document_is_read_refused_for_its_own_fault_or_of_no_format_of_ours(corpus: Path) -> None:
    seen: Counter[str] = Counter()
    for path, document in documents(corpus):
        knowing = [one for one in (Declarations(), Responses(), Movements()) if one.recognise(document) >= 0.5]
        assert len(knowing) <= 1, path
        for translator in knowing:
            try:
                found = messages(translator, document, ORIGIN)
            except TranslationError as error:
                seen.update(fault.code for fault in error.faults)
                continue
            assert found
            seen[translator.name] += 1
    assert seen == {"wco-dec": 200, "wco-res": 247, "inventory-linking": 19, "no-identifier": 1}


def test_every_declaration_that_is_valid_is_read(corpus: Path, declarations: etree.XMLSchema) -> None:
    cancellations = etree.XMLSchema(etree.parse(str(corpus / SCHEMAS / "customs" / "wrapper_cancel.xsd")))
    seen: Counter[tuple[bool, bool]] = Counter()
    for path, document in documents(corpus):
        if Declarations().recognise(document) < 0.5:
            continue
        try:
            found = messages(Declarations(), document, ORIGIN)
        except TranslationError:
            found = []
        try:
            wrapper = next(document.xml.iter("{*}MetaData"), document.xml)
        except TranslationError:
            continue
        alone = etree.fromstring(etree.tostring(wrapper))
        valid = declarations.validate(alone) or cancellations.validate(alone)
        assert found or not valid, path
        seen[valid, bool(found)] += 1
    assert seen == {(True, True): 198, (False, True): 1, (False, False): 1}


def test_each_kind_of_notification_becomes_its_event(corpus: Path) -> None:
    kinds = {
        "DMSACC": "shipment.declared", "DMSRCV": "shipment.declared", "DMSREJ": "shipment.rejected",
        "DMSCTL": "shipment.selected-for-inspection", "DMSDOC": "shipment.documents-required",
        "DMSRES": "shipment.amended", "DMSROG": "shipment.released", "DMSCLE": "shipment.released",
        "DMSINV": "shipment.withdrawn", "DMSREQ": "shipment.declared", "DMSTAX": "shipment.declared",
        "DMSCPI": "shipment.declared", "DMSEOG": "shipment.exited",
    }  # fmt: skip
    seen = set()
    for path, document in documents(corpus):
        kind = next((kind for kind in kinds if kind in path.name), None)
        if kind is None or Responses().recognise(document) < 0.5:
            continue
        if kind == "DMSACC" and "FunctionCode>01<" not in document.content.decode():
            continue
        for message in messages(Responses(), document, ORIGIN):
            assert message.type == kinds[kind], path
            seen.add(kind)
    assert seen == set(kinds)


def test_every_reference_of_a_declaration_comes_out_as_an_identifier(corpus: Path) -> None:
    """By another way than the reader's: the ids of these elements, wherever they stand."""
    holders = ("UCR", "PreviousDocument", "AdditionalDocument", "TransportEquipment", "Seal")
    path = " | ".join(f"//*[local-name()='{holder}']/*[local-name()='ID']" for holder in holders)
    for file, document in documents(corpus):
        if Declarations().recognise(document) < 0.5:
            continue
        try:
            found = messages(Declarations(), document, ORIGIN)
        except TranslationError:
            continue
        values = {one.value for message in found for one in shipment(message).data.identifiers}
        wanted = {"".join((one.text or "").split()).upper() for one in root_of(document, Findings()).xpath(path)} - {""}
        assert wanted <= values, file


def test_what_a_response_says_survives_being_written_and_the_writing_is_valid(
    corpus: Path, responses: etree.XMLSchema
) -> None:
    count = 0
    for path, document in documents(corpus):
        if Responses().recognise(document) < 0.5:
            continue
        for message in messages(Responses(), document, ORIGIN):
            written = Responses().write(message)
            assert responses.validate(etree.fromstring(written)), (path, responses.error_log)
            (again,) = messages(Responses(), Document(written), ORIGIN)
            assert (again.type, again.subject, again.time) == (message.type, message.subject, message.time), path
            assert body(again) == body(message), path
            count += 1
    assert count == 247


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=MESSAGES)
def test_whatever_is_written_is_valid_under_the_standards_schema(message: Message, responses: etree.XMLSchema) -> None:
    try:
        written = Responses().write(message)
    except TranslationError:
        assume(False)
        raise
    assert responses.validate(etree.fromstring(written)), responses.error_log


def test_decisions_on_real_declarations_are_valid_responses(corpus: Path, responses: etree.XMLSchema) -> None:
    for path, document in documents(corpus):
        if Declarations().recognise(document) < 0.5:
            continue
        try:
            found = messages(Declarations(), document, ORIGIN)
        except TranslationError:
            continue
        for message in found:
            held = message.model_copy(update={"type": "shipment.held"})
            assert responses.validate(etree.fromstring(Responses().write(held))), (path, responses.error_log)


def test_the_examples_are_valid_declarations(declarations: etree.XMLSchema) -> None:
    for path in sorted(EXAMPLES.glob("*.xml")):
        assert declarations.validate(etree.parse(str(path))), (path, declarations.error_log)


def shipment(message: Message) -> ShipmentMessage:
    assert isinstance(message, ShipmentMessage)
    return message


def body(message: Message) -> object:
    return shipment(message).data.model_copy(update={"native": None})
