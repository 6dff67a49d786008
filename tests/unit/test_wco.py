"""What the WCO translators promise: declarations, responses and movements, read and written."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from adapters.document import Document, Origin
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Translator, messages
from adapters.wco_codes import responses_of
from adapters.wco_dec import Declarations
from adapters.wco_error import ErrorLine
from adapters.wco_movement import Movements
from adapters.wco_res import Responses
from schemas import AlertMessage, Message, ShipmentMessage, build
from schemas.errors import TranslationError
from schemas.shipment import Decision, Equipment, Goods, Identifier, Shipment
from tests.wco_messages import MESSAGES

CODES = responses_of(NEUTRAL)

EXAMPLES = Path(__file__).parents[2] / "examples" / "seaport" / "documents" / "kr.customs"
SEOUL = ZoneInfo("Asia/Seoul")
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, 0, 0, tzinfo=UTC), SEOUL)
META = "urn:wco:datamodel:WCO:DocumentMetaData-DMS:2"


def wrapped(inner: str) -> bytes:
    return f'<md:MetaData xmlns:md="{META}" xmlns="urn:wco:datamodel:WCO:DEC-DMS:2">{inner}</md:MetaData>'.encode()


def declared(inner: str, function: str = "9") -> ShipmentMessage:
    document = wrapped(f"<Declaration><FunctionCode>{function}</FunctionCode><ID>26KR1</ID>{inner}</Declaration>")
    return only(Declarations(), document)


def answered(inner: str, code: str) -> ShipmentMessage:
    return only(Responses(), f"<MetaData><Response><FunctionCode>{code}</FunctionCode>{inner}</Response></MetaData>")


def only(
    translator: Declarations | Responses | Movements, content: bytes | str, origin: Origin = ORIGIN
) -> ShipmentMessage:
    document = Document(content.encode() if isinstance(content, str) else content)
    (message,) = messages(translator, document, origin)
    assert isinstance(message, ShipmentMessage)
    return message


def faults(translator: Translator, content: bytes) -> list[str]:
    with pytest.raises(TranslationError) as refused:
        messages(translator, Document(content), ORIGIN)
    return [fault.code for fault in refused.value.faults]


def warnings(message: ShipmentMessage) -> list[str]:
    assert message.data.native is not None
    return [remark.code for remark in message.data.native.warnings or []]


def values(message: ShipmentMessage, scheme: str) -> list[str]:
    return [one.value for one in message.data.identifiers if one.scheme == scheme]


# Declarations


def test_a_declaration_says_which_goods_come_where_and_how() -> None:
    message = only(Declarations(), (EXAMPLES / "declaration-plants.xml").read_bytes())
    body = message.data
    assert message.type == "shipment.declared"
    assert message.subject == "6KR1208814-PLANTS-0417"
    assert message.time == datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert message.time.utcoffset() == timedelta(hours=9)
    assert values(message, "transport-document") == ["CBMLCH2600417"]
    assert values(message, "certificate") == ["TH-PQ-2026-009881"]
    assert values(message, "container") == ["CBMU2046175"]
    assert body.place is not None
    assert (body.place.locode, body.place.facility) == ("KRPUS", "HPNT-07")
    assert body.transport is not None
    assert body.transport.means is not None
    assert (body.transport.mode, body.transport.means.scheme) == ("1", "imo")
    assert body.goods is not None
    assert [(g.hs, g.origin, g.packages, g.gross_mass_kg) for g in body.goods] == [
        ("060290", "TH", 320, 5120.5),
        ("060210", "TH", 140, 2300.0),
    ]
    assert body.equipment == [Equipment(number="CBMU2046175", seals=["TH882104"])]
    assert body.zone_assumed is None
    assert warnings(message) == []


@pytest.mark.parametrize(
    ("function", "type_code", "type_"),
    [
        ("9", "IMA", "shipment.declared"),
        ("09", "IMA", "shipment.declared"),
        ("5", "IMA", "shipment.amended"),
        ("4", "IMA", "shipment.amended"),
        ("1", "IMA", "shipment.withdrawn"),
        ("3", "IMA", "shipment.withdrawn"),
        ("13", "INV", "shipment.withdrawn"),
        ("13", "COR", "shipment.amended"),
        ("13", "GPR", "shipment.arrived"),
        ("13", "QQQ", "shipment.amended"),
    ],
)
def test_function_and_type_of_a_declaration_give_the_event(function: str, type_code: str, type_: str) -> None:
    assert declared(f"<TypeCode>{type_code}</TypeCode>", function).type == type_


def test_a_function_that_is_no_number_is_refused_with_its_place() -> None:
    with pytest.raises(TranslationError) as refused:
        declared("", "original")
    (fault,) = refused.value.faults
    assert fault.code == "function-code"
    assert fault.pointer == "/MetaData/Declaration/FunctionCode (line 1)"


def test_every_declaration_in_a_file_is_a_message_and_every_fault_is_told() -> None:
    good = "<Declaration><FunctionCode>9</FunctionCode><ID>{}</ID></Declaration>"
    read = messages(Declarations(), Document(wrapped(good.format("A1") + good.format("A2"))), ORIGIN)
    assert [message.subject for message in read] == ["A1", "A2"]
    bad = "<Declaration><FunctionCode>x</FunctionCode></Declaration>"
    assert faults(Declarations(), wrapped(bad + bad)) == ["function-code", "no-identifier"] * 2


def test_a_declaration_is_read_bare_without_namespace_and_within_other_wrappers() -> None:
    bare = "<Declaration><FunctionCode>9</FunctionCode><ID>A1</ID></Declaration>"
    for content in (
        bare,
        f"<MetaData>{bare}</MetaData>",
        f"<request><detail>{wrapped(bare).decode()}</detail></request>",
        f"<mdMetaData>{bare}</mdMetaData>",
    ):
        assert Declarations().recognise(Document(content.encode())) >= 0.5
        assert only(Declarations(), content).subject == "A1"


def test_declarations_of_other_nations_and_versions_are_read_by_name() -> None:
    inner = "<FunctionCode>9</FunctionCode><ID>26KR1</ID><GoodsShipment><UCR><ID>6KR1-A</ID></UCR></GoodsShipment>"
    space = "urn:wco:datamodel:WCO:Declaration:1"
    for content in (
        f'<DocumentMetadata xmlns="urn:wco:datamodel:WCO:DM:1"><Declaration xmlns="{space}">{inner}</Declaration>'
        "</DocumentMetadata>",
        f'<Declaration xmlns="urn:wco:datamodel:WCO:GoodsDeclaration:1"><DeclarationNFe>{inner}</DeclarationNFe>'
        "</Declaration>",
        f'<Declaration xmlns="{space}">{inner}</Declaration>',
    ):
        document = Document(content.encode())
        assert Declarations().recognise(document) >= 0.5
        (message,) = messages(Declarations(), document, ORIGIN)
        assert isinstance(message, ShipmentMessage)
        assert (message.type, message.subject) == ("shipment.declared", "6KR1-A")
        assert message.data.native is not None
        assert [one.code for one in message.data.native.warnings or []] == ["namespace"]


@pytest.mark.parametrize(("kind", "joined"), [("30", True), ("31", True), ("20", True), ("41", False), ("11", False)])
def test_a_lorry_or_wagon_is_a_reference_by_which_its_passage_is_joined(kind: str, joined: bool) -> None:
    means = f"<ID>12 GA 3456</ID><IdentificationTypeCode>{kind}</IdentificationTypeCode>"
    for inner in (
        f"<BorderTransportMeans>{means}</BorderTransportMeans>",
        f"<GoodsShipment><Consignment><ArrivalTransportMeans>{means}</ArrivalTransportMeans></Consignment></GoodsShipment>",
    ):
        said = [(one.scheme, one.value) for one in declared(inner).data.identifiers]
        assert (("equipment", "12GA3456") in said) == joined


def test_what_each_of_several_shipments_holds_is_carried() -> None:
    def shipment(number: int) -> str:
        return (
            f"<GoodsShipment><Consignee><ID>KR{number}</ID></Consignee><Consignment><TransportEquipment>"
            f"<ID>CBMU204617{5 - number}</ID></TransportEquipment></Consignment><GovernmentAgencyGoodsItem>"
            f"<SequenceNumeric>{number}</SequenceNumeric><AdditionalDocument><CategoryCode>N</CategoryCode>"
            f"<TypeCode>851</TypeCode><ID>PC-{number}</ID></AdditionalDocument></GovernmentAgencyGoodsItem>"
            f"<Invoice><ID>I-{number}</ID></Invoice></GoodsShipment>"
        )

    data = declared(shipment(0) + shipment(1)).data
    said = {one.value for one in data.identifiers}
    assert said >= {"CBMU2046175", "CBMU2046174", "PC-0", "PC-1", "I-0", "I-1"}
    assert [one.item for one in data.goods or []] == [0, 1]
    assert [one.number for one in data.equipment or []] == ["CBMU2046175", "CBMU2046174"]
    assert {one.id for one in data.parties or []} == {"KR0", "KR1"}
    assert {one.id for one in data.documents or []} == {"PC-0", "PC-1", "I-0", "I-1"}


def test_the_ucr_is_found_among_previous_documents_and_comes_before_the_mrn_as_subject() -> None:
    message = declared(
        "<GoodsShipment><PreviousDocument><CategoryCode>Z</CategoryCode><ID>6kr99 -1</ID><TypeCode>DCR</TypeCode>"
        "</PreviousDocument></GoodsShipment>"
    )
    assert values(message, "ucr") == ["6KR99-1"]
    assert message.subject == "6KR99-1"


def test_authorisations_and_invoices_are_no_certificates() -> None:
    document = (
        "<AdditionalDocument><CategoryCode>{}</CategoryCode><ID>{}</ID><TypeCode>{}</TypeCode></AdditionalDocument>"
    )
    message = declared(
        "<GoodsShipment><GovernmentAgencyGoodsItem>"
        + document.format("C", "DPO1", "506")
        + document.format("N", "INV7", "935")
        + document.format("N", "AWB8", "740")
        + document.format("N", "PHY9", "851")
        + "</GovernmentAgencyGoodsItem></GoodsShipment>"
    )
    assert values(message, "certificate") == ["PHY9"]
    assert values(message, "transport-document") == ["AWB8"]
    assert values(message, "other") == ["DPO1", "INV7"]
    assert message.data.documents is not None
    assert [one.type for one in message.data.documents] == ["C506", "N935", "N740", "N851"]


def test_a_nation_says_itself_what_its_types_of_documents_are() -> None:
    own = Profile("kr", "", "1", NEUTRAL, {"wco": {"document": {"K77": "transport-document", "851": "other"}}})
    document = "<AdditionalDocument><ID>{}</ID><TypeCode>{}</TypeCode></AdditionalDocument>"
    inner = document.format("A1", "K77") + document.format("B2", "851")
    content = wrapped(f"<Declaration><FunctionCode>9</FunctionCode><ID>26KR1</ID>{inner}</Declaration>")
    message = only(Declarations(), content, replace(ORIGIN, profile=own))
    assert [(one.scheme, one.value) for one in message.data.identifiers[1:]] == [
        ("transport-document", "A1"), ("other", "B2"),
    ]  # fmt: skip
    assert values(only(Declarations(), content), "certificate") == ["A1", "B2"]


def test_what_does_not_fit_the_schema_is_dropped_with_a_warning_and_the_rest_is_read() -> None:
    message = declared(
        "<IssueDateTime><DateTimeString>2026-02-31</DateTimeString></IssueDateTime>"
        "<BorderTransportMeans><ModeCode>sea</ModeCode></BorderTransportMeans>"
        "<GoodsShipment><GovernmentAgencyGoodsItem><SequenceNumeric>one</SequenceNumeric><Commodity>"
        "<Description>Spruce boards</Description>"
        "<Classification><ID>44X7</ID><IdentificationTypeCode>TSP</IdentificationTypeCode></Classification>"
        "<DangerousGoods><UNDGID>12</UNDGID></DangerousGoods>"
        '<GoodsMeasure><GrossMassMeasure unitCode="BUS">3</GrossMassMeasure></GoodsMeasure>'
        "<InvoiceLine><ItemChargeAmount>7</ItemChargeAmount></InvoiceLine></Commodity>"
        "<Origin><CountryCode>QQX</CountryCode></Origin><Packaging><QuantityQuantity>1.5</QuantityQuantity></Packaging>"
        "</GovernmentAgencyGoodsItem></GoodsShipment>"
    )
    assert sorted(warnings(message)) == [
        "country", "currency", "hs", "mass", "mode", "number", "number", "time", "un-number",
    ]  # fmt: skip
    assert message.data.goods == [Goods(description="Spruce boards")]
    assert message.data.occurred == ORIGIN.received
    assert "Spruce" not in repr(message.data.native)


def test_the_tariff_number_is_put_together_from_its_parts() -> None:
    row = "<Classification><ID>{}</ID><IdentificationTypeCode>{}</IdentificationTypeCode></Classification>"
    rows = row.format("0602 9050", "TSP") + row.format("10", "TRC") + row.format("VATZ", "GN")
    message = declared(
        f"<GoodsShipment><GovernmentAgencyGoodsItem><Commodity>{rows}</Commodity></GovernmentAgencyGoodsItem></GoodsShipment>"
    )
    assert message.data.goods is not None
    assert message.data.goods[0].hs == "0602905010"


def test_a_mass_is_in_kilograms_whatever_its_unit() -> None:
    mass = '<Commodity><GoodsMeasure><GrossMassMeasure unitCode="{}">2.5</GrossMassMeasure></GoodsMeasure></Commodity>'
    items = "".join(
        f"<GovernmentAgencyGoodsItem>{mass.format(unit)}</GovernmentAgencyGoodsItem>" for unit in ("TNE", "KGM")
    )
    message = declared(f"<GoodsShipment>{items}</GoodsShipment>")
    assert message.data.goods is not None
    assert [goods.gross_mass_kg for goods in message.data.goods] == [2500.0, 2.5]


def test_faults_without_end_are_told_up_to_a_limit() -> None:
    assert 100 < len(faults(Declarations(), wrapped("<Declaration/>" * 500))) < 110


def test_numbers_of_equipment_are_told_apart_from_containers_and_check_digits_only_warned_of() -> None:
    equipment = "<TransportEquipment><ID>{}</ID></TransportEquipment>"
    message = declared(
        "<GoodsShipment><Consignment>"
        + equipment.format("CBMU 204617 5")
        + equipment.format("CBMU2046176")
        + equipment.format("TRAILER-9")
        + "</Consignment></GoodsShipment>"
    )
    assert values(message, "container") == ["CBMU2046175", "CBMU2046176"]
    assert values(message, "equipment") == ["TRAILER-9"]
    assert warnings(message) == ["container"]


@pytest.mark.parametrize(
    ("location", "locode", "facility"),
    [
        ("<ID>KRPUS</ID>", "KRPUS", None),
        ("<Name>DOVER</Name>", None, "DOVER"),
        ("<Name>PUSHPNT07</Name><Address><TypeCode>U</TypeCode><CountryCode>KR</CountryCode></Address>", "KRPUS",
         "PUSHPNT07"),
        ("<Name>PUSHPNT07</Name><Address><TypeCode>Y</TypeCode><CountryCode>KR</CountryCode></Address>", None,
         "PUSHPNT07"),
    ],
)  # fmt: skip
def test_a_place_has_a_locode_only_where_the_location_says_so(
    location: str, locode: str | None, facility: str | None
) -> None:
    message = declared(
        f"<GoodsShipment><Consignment><GoodsLocation>{location}</GoodsLocation></Consignment></GoodsShipment>"
    )
    assert message.data.place is not None
    assert (message.data.place.locode, message.data.place.facility) == (locode, facility)


def test_a_date_without_a_zone_is_read_in_the_adapters_zone_and_marked() -> None:
    message = declared("<IssueDateTime><DateTimeString formatCode='102'>20260302</DateTimeString></IssueDateTime>")
    assert message.data.occurred == datetime(2026, 3, 2, tzinfo=SEOUL)
    assert message.data.zone_assumed is True


def test_a_declaration_is_not_written() -> None:
    with pytest.raises(TranslationError, match="read only"):
        Declarations().write(decision("shipment.released"))


# Responses


ABOUT = (
    "<Declaration><FunctionalReferenceID>IMP-26-0417</FunctionalReferenceID><ID>26KR1</ID><VersionID>2</VersionID>"
    "</Declaration>"
)


@pytest.mark.parametrize("code", sorted(CODES.events))
def test_each_function_of_a_response_is_an_event_with_an_outcome(code: str) -> None:
    message = answered("<Amendment/>" + ABOUT, code)
    body = message.data
    assert body.decision is not None
    assert (message.type, body.decision.outcome) == CODES.events[code]
    assert (body.decision.authority, body.decision.version) == ("kr.customs", 2)
    assert message.subject == "26KR1"


def test_a_result_without_an_amendment_is_that_of_a_control() -> None:
    assert answered(ABOUT, "07").type == "shipment.inspected"


def test_a_granted_request_is_told_from_a_refused_one() -> None:
    for status, outcome in (("39", "request-granted"), ("41", "request-refused"), ("99", "request-decided")):
        found = answered(f"<Status><NameCode>{status}</NameCode></Status>{ABOUT}", "11").data.decision
        assert found is not None
        assert found.outcome == outcome


def test_an_unknown_function_is_refused_with_the_rule() -> None:
    content = f"<MetaData><Response><FunctionCode>77</FunctionCode>{ABOUT}</Response></MetaData>".encode()
    assert faults(Responses(), content) == ["function-code"]


def test_a_rejection_gives_every_error_with_its_place() -> None:
    message = answered(
        "<Error><ValidationCode>CDS12056</ValidationCode><Pointer><DocumentSectionCode>42A</DocumentSectionCode>"
        "</Pointer><Pointer><SequenceNumeric>3</SequenceNumeric><DocumentSectionCode>68A</DocumentSectionCode>"
        "<TagID>145</TagID></Pointer></Error><Error><Description>Out of quota</Description></Error>" + ABOUT,
        "03",
    )
    assert message.data.decision is not None
    assert message.data.decision.reason == "CDS12056 at 42A/68A[3].145\nOut of quota"


def test_bank_and_duties_of_a_response_stay_with_customs() -> None:
    message = answered(
        "<Bank><ID>KR76BANK0001</ID></Bank><Declaration><ID>26KR1</ID><DutyTaxFee><Payment>"
        "<PaymentAmount currencyID='KRW'>4711</PaymentAmount></Payment></DutyTaxFee></Declaration>",
        "13",
    )
    assert b"4711" not in message.to_bytes()
    assert b"BANK" not in message.to_bytes()


def decision(type_: str, **fields: object) -> Message:
    body: dict[str, object] = {
        "identifiers": [Identifier(scheme="mrn", value="26KR1")],
        "occurred": datetime(2026, 3, 2, 10, 0, tzinfo=SEOUL),
    }
    return build(
        specversion="1.0", id="0b7e0b62-93c5-4f5f-8f52-0c3c3f6f0001", source="kr.quarantine", type=type_,
        subject="26KR1", time=datetime(2026, 3, 2, 1, 5, tzinfo=UTC), datacontenttype="application/json",
        dataschema="urn:cbm:shipment:1", data=Shipment.model_validate(body | fields),
    )  # fmt: skip


@pytest.mark.parametrize("type_", sorted(CODES.by_type))
def test_every_decision_is_written_and_read_back_as_the_same_event(type_: str) -> None:
    written = Responses().write(
        decision(type_, decision=Decision(outcome="x-outcome", reason="Leaf miner\nfound", item=2))
    )
    message = only(Responses(), written)
    assert message.type == type_
    assert message.data.decision == Decision(
        authority="kr.quarantine", outcome="x-outcome", reason="Leaf miner\nfound", item=2
    )
    assert message.data.occurred == datetime(2026, 3, 2, 10, 0, tzinfo=SEOUL)


def test_no_word_of_another_agency_lets_goods_go_that_are_not_released() -> None:
    for type_ in CODES.by_type:
        freeing = b"<FunctionCode>08<" in (written := Responses().write(decision(type_))) or (
            b"<FunctionCode>09<" in written
        )
        assert freeing == (type_ == "shipment.released")


def test_references_that_the_header_has_no_place_for_go_into_the_declaration_data() -> None:
    identifiers = [
        Identifier(scheme=scheme, value=value)  # type: ignore[arg-type]
        for scheme, value in (
            ("certificate", "TH-PQ-2026-009881"), ("container", "CBMU2046175"), ("ucr", "6KR1-A"), ("ucr", "6KR1-B"),
            ("transport-document", "BL1"), ("seal", "S1"), ("seal", "S2"), ("other", "O1"), ("equipment", "TRAILER-9"),
        )
    ]  # fmt: skip
    equipment = [Equipment(number="CBMU2046175", seals=["S2"]), Equipment(number="CBMU2046175", seals=["S3"])]
    written = Responses().write(decision("shipment.held", identifiers=identifiers, equipment=equipment))
    assert written.count(b">S2<") == 1
    message = only(Responses(), written)
    assert {(one.scheme, one.value) for one in message.data.identifiers} == {
        (one.scheme, one.value) for one in [*identifiers, Identifier(scheme="seal", value="S3")]
    }
    assert message.data.equipment == [
        Equipment(number="CBMU2046175", seals=["S2", "S3"]),
        Equipment(number="TRAILER-9"),
    ]


def test_a_reference_too_long_for_the_schema_is_left_out_and_never_cut() -> None:
    long = Identifier(scheme="ucr", value="6KR" + "9" * 60)
    written = Responses().write(decision("shipment.held", identifiers=[long, Identifier(scheme="mrn", value="26KR1")]))
    assert b"6KR9" not in written
    with pytest.raises(TranslationError) as refused:
        Responses().write(decision("shipment.held", identifiers=[long]))
    assert [fault.code for fault in refused.value.faults] == ["no-identifier"]


def test_what_the_schema_has_no_room_for_is_cut_converted_or_left_out() -> None:
    decided = Decision(outcome="held", reason="x" * 600, version=10**9, item=10**6)
    india = datetime(2026, 3, 2, 10, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    message = only(Responses(), Responses().write(decision("shipment.held", decision=decided, occurred=india)))
    assert message.data.decision == Decision(authority="kr.quarantine", outcome="held", reason="x" * 512)
    assert message.data.occurred == india
    assert message.data.occurred.utcoffset() == timedelta()


def test_references_come_in_the_same_order_wherever_in_a_response_they_stood() -> None:
    message = answered(
        "<Declaration><FunctionCode>9</FunctionCode><GoodsShipment><PreviousDocument><ID>O1</ID></PreviousDocument>"
        "<PreviousDocument><ID>6KR1</ID><TypeCode>DCR</TypeCode></PreviousDocument></GoodsShipment></Declaration>",
        "08",
    )
    assert [one.scheme for one in message.data.identifiers] == ["ucr", "other"]


def test_what_is_no_decision_has_no_words_in_a_response() -> None:
    with pytest.raises(TranslationError) as refused:
        Responses().write(decision("shipment.loaded"))
    assert [(fault.code, fault.pointer) for fault in refused.value.faults] == [("no-words", "/type")]
    alert = build(
        specversion="1.0", id="a", source="kr.border", type="alert.cancelled", subject="a",
        time=datetime(2026, 3, 2, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:alert:1",
        data={"status": "Actual", "msg_type": "Cancel", "scope": "Restricted"},
    )  # fmt: skip
    assert isinstance(alert, AlertMessage)
    with pytest.raises(TranslationError):
        Responses().write(alert)


# Movements


def movement(code: str, inner: str) -> str:
    return (
        '<inv:inventoryLinkingMovementRequest xmlns:inv="http://gov.uk/customs/inventoryLinking/v1">'
        f"<inv:messageCode>{code}</inv:messageCode><inv:ucrBlock><inv:ucr>6KR1-A</inv:ucr></inv:ucrBlock>{inner}"
        "</inv:inventoryLinkingMovementRequest>"
    )


def test_arrivals_and_departures_are_read_with_their_time_and_place() -> None:
    arrival = only(
        Movements(),
        movement(
            "EAL",
            "<inv:goodsLocation>KRAUPUSHPNT</inv:goodsLocation>"
            "<inv:goodsArrivalDateTime>2026-03-02T08:00:00+09:00</inv:goodsArrivalDateTime>",
        ),
    )
    assert (arrival.type, arrival.subject) == ("shipment.arrived", "6KR1-A")
    assert arrival.data.place is not None
    assert (arrival.data.place.locode, arrival.data.place.facility) == ("KRPUS", "PUSHPNT")
    departure = only(
        Movements(),
        movement("EDL", "<inv:goodsDepartureDateTime>2026-03-03T08:00:00</inv:goodsDepartureDateTime>"),
    )
    assert (departure.type, departure.data.zone_assumed) == ("shipment.departed", True)
    assert only(Movements(), movement("EAA", "")).data.classifier == "planned"
    assert only(Movements(), movement("RET", "")).type == "shipment.arrived"
    assert faults(Movements(), movement("ZZZ", "").encode()) == ["message-code"]


# Whatever comes


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(MESSAGES)
def test_what_a_response_keeps_of_a_message_it_keeps_for_good(message: Message) -> None:
    try:
        written = Responses().write(message)
    except TranslationError:
        assume(False)
        raise
    assert Responses().write(message) == written
    first = only(Responses(), written)
    second = only(Responses(), Responses().write(first))
    assert first.type == message.type
    assert (first.type, first.subject, first.time) == (second.type, second.subject, second.time)
    plain = [one.data.model_copy(update={"native": None}) for one in (first, second)]
    assert plain[0] == plain[1]


@given(st.from_regex(r"[A-Za-z0-9-]{0,9}( at [0-9A-Z\[\]./]{0,12})?(: .{0,10})?", fullmatch=True))
@example("-: beside nothing")
@example("A1 at 42A/: beside a gap")
def test_an_error_line_reads_back_as_itself(line: str) -> None:
    error = ErrorLine.parse(line)
    assert error is None or str(error) == line


SEEDS = [
    *(path.read_bytes() for path in sorted(EXAMPLES.glob("*.xml"))),
    Responses().write(decision("shipment.rejected", decision=Decision(outcome="rejected", reason="CDS1 at 42A.17"))),
    movement("EAL", "<inv:goodsLocation>KRAUPUSHPNT</inv:goodsLocation>").encode(),
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_broken_documents_raise_nothing_but_translation_errors(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.sampled_from([0, 1, 8, 200]))
        content[start : start + length] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"<ID>", b"</ID>", b"&#0;", b"9" * 40, b"-1", b"NaN", b"\xff"])
        )
    document = Document(bytes(content))
    for translator in (Declarations(), Responses(), Movements()):
        assert 0 <= translator.recognise(document) <= 1
        with contextlib.suppress(TranslationError):
            messages(translator, document, ORIGIN)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_values_of_any_kind_make_messages_or_faults(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS)).decode()
    parts = text.split(">")
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(1, len(parts) - 2))
        _, _, tag = parts[index].partition("<")
        odd = data.draw(
            st.sampled_from(["9" * 400, "1e400", "-0", "Infinity", "\u0660\u0661", "00010101", "99991231235959+14", ""])
            | st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="<>&"), max_size=300)
        )
        parts[index] = f"{odd}<{tag}"
    document = Document(">".join(parts).encode())
    for translator in (Declarations(), Responses(), Movements()):
        with contextlib.suppress(TranslationError):
            messages(translator, document, ORIGIN)
