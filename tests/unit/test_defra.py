"""Defra's border systems: what a declaration, its decisions and its CHED must tell whoever reads them."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.defra import TRANSLATORS
from adapters.defra_values import ched_key, codes
from adapters.document import Document, Origin
from adapters.formats import by_name, recognise
from adapters.profile import NEUTRAL, UK, read_profile
from adapters.translator import messages
from schemas import build
from schemas.envelope import parse
from schemas.errors import TranslationError

ORIGIN = Origin("gb.customs", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Europe/London"), UK)
SOAP_11, SOAP_12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
MRN = "26GBTESTMRN0000AR1"
# How long a decision holds is written without a zone.
EARLY, LATE = datetime(2000, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001
SUMMER = "2026-07-01T10:00:00.5"


def read(content: str | bytes) -> list[Any]:
    document = Document(content if isinstance(content, bytes) else content.encode())
    translator, sure = recognise(document)
    assert sure >= 0.9
    found = messages(translator, document, ORIGIN)
    assert [parse(message.to_bytes()) for message in found] == found
    return found


def read_one(content: str | bytes) -> Any:
    (message,) = read(content)
    return message


def refusal(content: str | bytes) -> list[str]:
    with pytest.raises(TranslationError) as caught:
        read(content)
    return [fault.code for fault in caught.value.faults]


def pairs(message: Any) -> list[tuple[str, str]]:
    return [(one.scheme, one.value) for one in message.data.identifiers]


def canonical(message: Any) -> Any:
    return message.data.model_copy(update={"native": None})


def warned(message: Any) -> set[str]:
    return {warning.code for warning in message.data.native.warnings or []}


def service(source: str = "CDS", sent: str = "2026-03-01T10:00:00.123") -> str:
    return (
        f"<ServiceHeader><SourceSystem>{source}</SourceSystem><DestinationSystem>ALVS</DestinationSystem>"
        f"<CorrelationId>4711</CorrelationId><ServiceCallTimestamp>{sent}</ServiceCallTimestamp></ServiceHeader>"
    )


def request(reference: str = "GBCHD2026.1234567", code: str = "N851", version: int = 1, more: str = "") -> str:
    return (
        "<ALVSClearanceRequest xmlns='http://submitimportdocumenthmrcfacade.types.esb.ws.cara.defra.com'>"
        f"{service()}<Header><EntryReference>{MRN}</EntryReference><EntryVersionNumber>{version}</EntryVersionNumber>"
        "<DeclarationUCR>6GB123456789000-ABC</DeclarationUCR><DeclarationType>F</DeclarationType>"
        "<DeclarantId>GB123456789000</DeclarantId><DeclarantName>Fruit Ltd</DeclarantName>"
        "<DispatchCountryCode>KE</DispatchCountryCode><GoodsLocationCode>GBSTN</GoodsLocationCode>"
        "<MasterUCR>GB/CNS1-TEST01</MasterUCR></Header><Item><ItemNumber>1</ItemNumber>"
        "<TaricCommodityCode>0602109000</TaricCommodityCode><GoodsDescription>Cuttings</GoodsDescription>"
        "<ItemOriginCountryCode>KE</ItemOriginCountryCode>"
        f"<Document><DocumentCode>{code}</DocumentCode><DocumentReference>{reference}</DocumentReference></Document>"
        "<Check><CheckCode>H219</CheckCode><DepartmentCode>PHSI</DepartmentCode></Check>"
        f"{more}</Item></ALVSClearanceRequest>"
    )


def soap(content: str, namespace: str = SOAP_12) -> str:
    return f"<e:Envelope xmlns:e='{namespace}'><e:Header/><e:Body>{content}</e:Body></e:Envelope>"


def checks(*said: tuple[str, str], extra: str = "") -> str:
    return "".join(
        f"<Check><CheckCode>{check}</CheckCode><DecisionCode>{code}</DecisionCode>{extra}</Check>"
        for check, code in said
    )


def decision(items: str, number: int = 2, version: int = 3) -> str:
    return (
        f"<DecisionNotification xmlns='http://www.hmrc.gov.uk/webservices/itsw/ws/decisionnotification'>"
        f"{service('ALVS')}<Header><EntryReference>{MRN}</EntryReference>"
        f"<EntryVersionNumber>{version}</EntryVersionNumber><DecisionNumber>{number}</DecisionNumber></Header>"
        f"{items}</DecisionNotification>"
    )


def item(number: int, *said: tuple[str, str], extra: str = "") -> str:
    return f"<Item><ItemNumber>{number}</ItemNumber>{checks(*said, extra=extra)}</Item>"


def ched(**changes: Any) -> dict[str, Any]:
    return {
        "id": 9, "referenceNumber": "CHEDPP.GB.2026.1234567", "version": 4, "type": "CHEDPP", "status": "SUBMITTED",
        "lastUpdated": "2026-02-28T08:00:00.1234567Z",
        "partOne": {
            "consignor": {"companyName": "Flora", "address": {"city": "Naivasha", "countryISOCode": "KE"}},
            "consignee": {"companyName": "Fruit Ltd", "address": {"countryISOCode": "GB-ENG"}},
            "commodities": {
                "countryOfOrigin": "KE", "totalGrossWeight": 65.5,
                "commodityComplement": [
                    {"uniqueComplementID": "a", "commodityID": "06021090", "commodityDescription": "Cuttings",
                     "speciesName": "Pelargonium", "eppoCode": "PELSS"}
                ],
                "complementParameterSet": [
                    {"uniqueComplementID": "a", "keyDataPair": [{"key": "number_package", "data": "12"}]}
                ],
            },
            "pointOfEntry": "GBLHR4P",
            "meansOfTransportFromEntryPoint": {"type": "Aeroplane", "document": "125 1453 1123", "id": "BA064"},
            "sealsContainers": [{"sealNumber": "S1", "containerNumber": "CBMU2046175"}],
            "veterinaryInformation": {"accompanyingDocuments": [
                {"documentType": "phytosanitaryCertificate", "documentReference": "KE/1"}]},
        },
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [request(), soap(request(), SOAP_11), soap(request()),
     f"<Post xmlns='traceswsns'><UserPassword>secret</UserPassword>{request()}</Post>",
     soap(f"<x:ALVSClearanceRequest xmlns:x='urn:x'>{escape(request())}</x:ALVSClearanceRequest>")],
)  # fmt: skip
def test_a_clearance_request_is_read_however_it_is_wrapped(content: str) -> None:
    message = read_one(content)
    assert (message.type, message.subject, message.correlationid) == ("shipment.declared", MRN, "4711")
    assert pairs(message) == [
        ("mrn", MRN), ("ucr", "6GB123456789000-ABC"), ("ucr", "GB/CNS1-TEST01"), ("certificate", "GBCHD2026.1234567"),
    ]  # fmt: skip
    (goods,) = message.data.goods
    assert (goods.item, goods.hs, goods.origin, goods.description) == (1, "0602109000", "KE", "Cuttings")
    assert {party.role: (party.id, party.name) for party in message.data.parties} == {
        "declarant": ("GB123456789000", "Fruit Ltd"), "checking-authority": ("H219", "PHSI"),
    }  # fmt: skip
    assert message.data.place.locode == "GBSTN"
    assert message.data.occurred.isoformat() == "2026-03-01T10:00:00.123000+00:00"
    assert message.data.zone_assumed
    assert "secret" not in message.model_dump_json()


def test_the_json_of_the_queue_and_of_the_api_say_what_the_xml_says() -> None:
    line = {"itemNumber": 1, "taricCommodityCode": "0602109000", "goodsDescription": "Cuttings"}
    papers = [{"documentCode": "N851", "documentReference": "GBCHD2026.1234567"}]
    of_check = [{"checkCode": "H219", "departmentCode": "PHSI"}]
    header = {"declarantId": "GB123456789000", "declarantName": "Fruit Ltd", "goodsLocationCode": "GBSTN"}
    queue = {
        "serviceHeader": {"sourceSystem": "CDS", "correlationId": "4711", "serviceCallTimestamp": 1772359200123},
        "header": {"entryReference": MRN, "entryVersionNumber": 1, "declarationUCR": "6GB123456789000-ABC",
                   "masterUCR": "GB/CNS1-TEST01"} | header,
        "items": [line | {"itemOriginCountryCode": "KE", "documents": papers, "checks": of_check}],
    }  # fmt: skip
    api = {
        "externalCorrelationId": "4711", "messageSentAt": "2026-03-01T10:00:00.123Z", "externalVersion": 1,
        "declarationUcr": "6GB123456789000-ABC", "masterUcr": "GB/CNS1-TEST01",
        "commodities": [line | {"originCountryCode": "KE", "documents": papers, "checks": of_check}],
    } | header  # fmt: skip
    event = {
        "resourceId": MRN, "resourceType": "CustomsDeclaration", "subResourceType": "ClearanceRequest",
        "operation": "Created",
        "resource": {"clearanceRequest": api, "clearanceDecision": {"decisionNumber": 1, "items": []}},
    }  # fmt: skip
    xml = read_one(request()).data.model_copy(update={"native": None, "zone_assumed": None})
    for content in (queue, {"alvsClearanceRequest": queue}, event, {"resourceId": MRN, "operation": "Created",
                    "resourceType": "CustomsDeclaration", "message": json.dumps(event)}):  # fmt: skip
        found = read_one(json.dumps(content)).data
        assert found.model_copy(update={"native": None}) == xml
        assert found.native.format == "defra-clearance-request"
    assert read_one("\ufeff" + json.dumps(queue)).data.native.warnings[0].code == "byte-order-mark"


@pytest.mark.parametrize("blank", [" ", "&#13;&#10;", "&#9;", "\n   "])
def test_blanks_around_a_reference_are_repaired_and_told(blank: str) -> None:
    message = read_one(request(f"GBCHD2026.1234567{blank}"))
    assert ("certificate", "GBCHD2026.1234567") in pairs(message)
    assert message.data.documents[0].id == "GBCHD2026.1234567"
    assert warned(message) == {"blanks"}


def test_the_word_null_is_no_value() -> None:
    message = read_one(request().replace("GB/CNS1-TEST01", "null").replace("Fruit Ltd", "null"))
    assert [scheme for scheme, _ in pairs(message)] == ["mrn", "ucr", "certificate"]
    assert message.data.parties[0].name is None
    assert warned(message) == {"null-text"}


def test_a_later_version_amends_and_rises_in_sequence() -> None:
    first, later = read_one(request()), read_one(request(version=2))
    assert (first.type, later.type) == ("shipment.declared", "shipment.amended")
    decided = read_one(decision(item(1, ("H219", "C03")), number=1, version=1))
    assert first.sequence < decided.sequence < later.sequence


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("GBCHD2026.1234567", "GBCHD2026.1234567"), ("GBCVD2021.1396392", "GBCHD2021.1396392"),
        ("CHEDPP.GB.2024.5194492", "GBCHD2024.5194492"), ("chedp.gb.2024.5194492v", "GBCHD2024.5194492V"),
        ("GBCHDN.20251234567R", "GBCHD2025.1234567R"), ("GBCHDN.2025..1234567R", "GBCHD2025.1234567R"),
        ("CHEDA.GB.2025.12345678", "GBCHD2025.2345678"), ("CHEDA.GB.2025.123456", None), ("GBCHD.1234567", None),
        ("GBIUU", None), ("", None), ("9" * 100_000, None),
    ],
)  # fmt: skip
def test_a_ched_is_joined_by_year_and_last_seven_digits(reference: str, key: str | None) -> None:
    assert ched_key(reference) == key


def test_a_declaration_and_its_ched_meet_on_a_certificate() -> None:
    declared = {value for scheme, value in pairs(read_one(request("GBCVD2026.1234567"))) if scheme == "certificate"}
    announced = {value for scheme, value in pairs(read_one(json.dumps(ched()))) if scheme == "certificate"}
    assert declared & announced == {"GBCHD2026.1234567"}
    assert "CHEDPP.GB.2026.1234567" in announced


@pytest.mark.parametrize("placeholder", ["GBIUU", "GBCON", "GBPHC"])
def test_what_stands_in_place_of_a_reference_joins_nothing(placeholder: str) -> None:
    message = read_one(request(placeholder, "C673"))
    assert [scheme for scheme, _ in pairs(message)] == ["mrn", "ucr", "ucr"]
    assert message.data.documents[0].id == placeholder


@pytest.mark.parametrize(
    ("check", "code", "event"),
    [("H219", "C02", "released"), ("H222", "C03", "released"), ("H219", "H01", "held"),
     ("H219", "H02", "selected-for-inspection"), ("H221", "N04", "refused"), ("H219", "X00", "documents-required"),
     ("H224", "X00", "refused"), ("H222", "E03", "held"), ("H219", "N99", "refused"), ("H219", "H77", "held")],
)  # fmt: skip
def test_a_decision_code_is_one_event(check: str, code: str, event: str) -> None:
    message = read_one(decision(item(2, (check, code))))
    assert (message.type, message.subject) == (f"shipment.{event}", MRN)
    found = message.data.decision
    assert (found.outcome, found.item, found.version) == (event, 2, 2)
    assert found.authority == codes(UK, "authority")[check]
    assert found.reason.startswith(f"{check} {code}")


@pytest.mark.parametrize("code", ["C09", "C99", "", "released", "Z01", "C2", "HOLD", "N1"])
def test_nothing_is_guessed_to_be_a_release(code: str) -> None:
    assert refusal(decision(item(1, ("H219", code)))) == ["decision-code"]


def test_each_item_and_check_is_a_message_of_its_own() -> None:
    found = read(soap(decision(item(1, ("H218", "C02"), ("H219", "H01")) + item(2, ("H219", "N02")))))
    assert [(one.type[9:], one.data.decision.item, one.data.decision.authority) for one in found] == [
        ("released", 1, "HMI-SMS"), ("held", 1, "PHSI"), ("refused", 2, "PHSI"),
    ]  # fmt: skip


def test_a_decision_is_read_where_it_stands_as_escaped_text_in_its_envelope() -> None:
    outer = "<d:DecisionNotification xmlns:d='http://uk.gov.hmrc.ITSW2.ws'>{}</d:DecisionNotification>"
    plain = read_one(soap(decision(item(1, ("H219", "H02")))))
    for inner in (decision(item(1, ("H219", "H02"))), escape(decision(item(1, ("H219", "H02"))))):
        assert read_one(soap(outer.format(inner))).data.decision == plain.data.decision
    assert "not-well-formed" in refusal(soap(outer.format("&lt;DecisionNotification>") + decision("")))


def test_the_api_tells_on_which_ched_a_decision_rests() -> None:
    body = {
        "movementReferenceNumber": MRN,
        "clearanceDecision": {
            "correlationId": "1", "created": "2026-03-01T10:00:00Z", "externalVersionNumber": 1, "decisionNumber": 2,
            "items": [{"itemNumber": 1, "checks": [
                {"checkCode": "H219", "decisionCode": "C03", "decisionsValidUntil": "2026-04-01T23:59:00",
                 "decisionReasons": ["one", "two"]}]}],
            "results": [{"itemNumber": 1, "checkCode": "H219", "documentReference": "GBCHD2026.1234567",
                         "importPreNotification": "CHEDPP.GB.2026.1234567"}],
        },
    }  # fmt: skip
    message = read_one(json.dumps(body))
    assert pairs(message)[0] == ("mrn", MRN)
    assert ("certificate", "GBCHD2026.1234567") in pairs(message)
    assert message.data.decision.reason.splitlines() == [
        "H219 C03: inspection complete; valid until 2026-04-01T23:59", "one", "two",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "by_hand", "event", "outcome"),
    [("0", "N", "released", "cleared"), ("1", "N", "withdrawn", "cancelled-after-arrival"),
     ("3", "Y", "refused", "destroyed"), ("4", "Y", "refused", "seized"),
     ("5", "Y", "held", "released-to-kings-warehouse")],
)  # fmt: skip
def test_a_final_state_frees_the_goods_only_where_it_says_cleared(
    state: str, by_hand: str, event: str, outcome: str
) -> None:
    header = (
        f"<Header><EntryReference>{MRN}</EntryReference><EntryVersionNumber>1</EntryVersionNumber>"
        f"<DecisionNumber>3</DecisionNumber><FinalState>{state}</FinalState><ManualAction>{by_hand}</ManualAction>"
    )
    name = "FinalisationNotificationRequest"
    message = read_one(soap(f"<{name} xmlns='urn:x'>{service()}{header}</Header></{name}>"))
    found = message.data.decision
    assert (message.type, found.outcome, found.version) == (f"shipment.{event}", outcome, 3)
    assert found.automatic is (by_hand == "N")
    wrong = soap(f"<{name} xmlns='urn:x'>{service()}{header}</Header></{name}>").replace(f">{state}</Fin", ">7</Fin")
    assert refusal(wrong) == ["final-state"]


def test_an_error_notification_rejects_and_answers_the_call_that_it_is_about() -> None:
    inner = (
        f"<HMRCErrorNotification xmlns='urn:x'>{service('ALVS')}<Header><SourceCorrelationId>99</SourceCorrelationId>"
        f"<EntryReference>{MRN}</EntryReference><EntryVersionNumber>1</EntryVersionNumber></Header>"
        "<Error><ErrorCode>ALVSVAL318</ErrorCode><ErrorMessage>no document</ErrorMessage></Error>"
        "<Error><ErrorCode>ALVSVAL321</ErrorCode></Error></HMRCErrorNotification>"
    )
    message = read_one(soap(inner))
    assert (message.type, message.correlationid) == ("shipment.rejected", "99")
    assert message.data.decision.reason == "ALVSVAL318: no document\nALVSVAL321"
    assert message.data.decision.authority == "ALVS"
    event = {
        "resourceId": MRN,
        "resourceType": "ProcessingError",
        "operation": "Created",
        "resource": {
            "processingErrors": [{"externalVersion": 1, "created": "2026-03-01T10:00:00Z", "errors": [{"code": "E1"}]}]
        },
    }
    assert read_one(json.dumps(event)).data.decision.reason == "E1"
    assert refusal(json.dumps([{"externalVersion": 1, "errors": [{"code": "E1"}]}])) == ["no-identifier"]


def test_a_declaration_of_the_api_tells_all_that_happened_and_keeps_back_only_what_is_illegible() -> None:
    body: dict[str, Any] = {
        "movementReferenceNumber": MRN,
        "clearanceRequest": {"messageSentAt": "2026-03-01T10:00:00Z", "externalVersion": 1, "commodities": []},
        "clearanceDecision": {"created": "2026-03-01T11:00:00Z", "decisionNumber": 1,
                              "items": [{"itemNumber": 1, "checks": [{"checkCode": "H219", "decisionCode": "C03"}]}]},
        "finalisation": {"messageSentAt": "2026-03-01T12:00:00Z", "externalVersion": 1, "finalState": "0",
                         "isManualRelease": False},
    }  # fmt: skip
    assert [one.type for one in read(json.dumps(body))] == [
        "shipment.declared", "shipment.released", "shipment.released",
    ]  # fmt: skip
    body["clearanceDecision"]["items"][0]["checks"][0]["decisionCode"] = "C77"
    found = read(json.dumps(body))
    assert [one.type for one in found] == ["shipment.declared", "shipment.released"]
    assert "not-read-decision-code" in warned(found[0])
    event = {"resourceType": "CustomsDeclaration", "operation": "Created", "subResourceType": "Finalisation"}
    assert refusal(json.dumps(event | {"message": "{Scrubbed}"})) == ["no-content"]


def test_a_ched_announces_goods_papers_and_how_they_come() -> None:
    message = read_one(json.dumps(ched()))
    assert (message.type, message.subject, message.sequence) == ("shipment.declared", "CHEDPP.GB.2026.1234567", 4)
    assert pairs(message) == [
        ("certificate", "CHEDPP.GB.2026.1234567"), ("certificate", "GBCHD2026.1234567"), ("container", "CBMU2046175"),
        ("seal", "S1"), ("certificate", "KE/1"), ("transport-document", "125-14531123"),
    ]  # fmt: skip
    (goods,) = message.data.goods
    assert (goods.hs, goods.origin, goods.gross_mass_kg, goods.packages) == ("06021090", "KE", 65.5, 12)
    assert goods.description == "Cuttings; Pelargonium; EPPO: PELSS"
    assert (message.data.place.locode, message.data.place.facility) == ("GBLHR", "GBLHR4P")
    assert (message.data.transport.mode, message.data.transport.voyage) == ("4", "BA064")
    assert {party.role: party.country for party in message.data.parties} == {"consignor": "KE", "consignee": "GB"}
    assert [(paper.type, paper.id) for paper in message.data.documents][1] == ("851", "KE/1")
    assert message.data.equipment[0].seals == ["S1"]


@pytest.mark.parametrize(
    ("status", "two", "event", "outcome"),
    [
        ("VALIDATED", {"decision": {"consignmentAcceptable": True, "decision": "Acceptable for Internal Market"}},
         "inspected", "acceptable-for-internal-market"),
        ("VALIDATED", {"decision": {"consignmentAcceptable": False, "notAcceptableAction": "destruction"}},
         "refused", "destruction"),
        ("Rejected", {"decision": {"consignmentAcceptable": False, "notAcceptableAction": "reexport"}},
         "refused", "reexport"),
        ("InProgress", {"inspectionRequired": "Required"}, "selected-for-inspection", "inspection-required"),
        ("IN_PROGRESS", {}, "declared", "in-progress"),
        ("SPLIT_CONSIGNMENT", {}, "withdrawn", "split-consignment"),
        ("CANCELLED", {}, "withdrawn", "cancelled"),
        ("???", {}, "declared", None),
    ],
)  # fmt: skip
def test_a_state_of_a_ched_is_never_a_release(status: str, two: Any, event: str, outcome: str | None) -> None:
    message = read_one(json.dumps(ched(status=status, partTwo=two)))
    assert message.type == f"shipment.{event}"
    assert (message.data.decision and message.data.decision.outcome) == outcome


def test_a_movement_record_tells_where_the_vehicle_is_and_that_it_is_to_be_inspected() -> None:
    record = {
        "gmrId": "GMRA00000001", "state": "COMPLETED", "haulierEORI": "GB1", "direction": "UK_INBOUND",
        "vehicleRegNum": "AB12 CDE", "trailerRegistrationNums": ["999 AB"], "containerReferenceNums": ["CBMU2046175"],
        "updatedDateTime": "2026-03-01T14:34:17.753Z", "inspectionRequired": True,
        "actualCrossing": {"localDateTimeOfArrival": "2026-03-01T14:00"},
        "declarations": {"customs": [{"id": MRN}], "transits": [{"id": "24AT123456789AB999"}]},
    }  # fmt: skip
    arrived, selected = read(json.dumps({"gmrs": [record]}))
    assert (arrived.type, selected.type) == ("shipment.arrived", "shipment.selected-for-inspection")
    assert pairs(arrived) == [
        ("mrn", MRN), ("mrn", "24AT123456789AB999"), ("container", "CBMU2046175"), ("equipment", "999AB"),
        ("equipment", "AB12CDE"), ("other", "GMRA00000001"),
    ]  # fmt: skip
    assert arrived.data.occurred.isoformat() == "2026-03-01T14:00:00+00:00"
    assert arrived.data.place.country == "GB"
    assert selected.data.occurred.minute == 34


def test_a_profile_that_says_nothing_of_defra_reads_by_the_united_kingdoms_codes() -> None:
    document = Document(decision(item(1, ("H219", "C03"))).encode())
    neutral = Origin(ORIGIN.agency, ORIGIN.received, ORIGIN.zone, NEUTRAL)
    assert messages(by_name("defra-decision"), document, neutral) == messages(
        by_name("defra-decision"), document, ORIGIN
    )


def test_a_nations_own_profile_changes_a_code_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text('title = "N"\nversion = "1"\nextends = "neutral"\n')
    (tmp_path / "defra.toml").write_text('[decision]\nE03 = "shipment.released"\n[authority]\nH219 = "Plant Health"\n')
    own = Origin(ORIGIN.agency, ORIGIN.received, ORIGIN.zone, read_profile(tmp_path))
    content = decision(item(1, ("H219", "E03"), ("H219", "H01")))
    one, two = messages(by_name("defra-decision"), Document(content.encode()), own)
    assert (one.type, two.type, two.data.decision.authority) == ("shipment.released", "shipment.held", "Plant Health")


def outcome(event: str, **changes: Any) -> Any:
    of_decision = changes.pop("decision", {"authority": "PHSI", "outcome": event, "item": 3, "reason": "soil\nroots"})
    attributes = {key: changes.pop(key) for key in ("sequence", "correlationid", "source") if key in changes}
    data = {"identifiers": [{"scheme": "mrn", "value": MRN}], "occurred": "2026-03-04T10:00:00+09:00",
            "decision": of_decision} | changes  # fmt: skip
    return build(
        **{"specversion": "1.0", "id": "m-1", "source": "gb.quarantine", "type": f"shipment.{event}", "subject": MRN,
           "time": datetime(2026, 3, 4, tzinfo=UTC), "datacontenttype": "application/json",
           "dataschema": "urn:cbm:shipment:1", "data": data} | attributes
    )  # fmt: skip


def again(message: Any, name: str) -> Any:
    content = by_name(name).write(message, UK)
    assert content == by_name(name).write(message, UK)
    assert recognise(Document(content))[0].name == name
    return read_one(content)


@pytest.mark.parametrize("name", ["defra-decision", "defra-decision-json"])
@pytest.mark.parametrize("event", ["released", "held", "refused", "selected-for-inspection", "documents-required"])
def test_a_decision_of_another_system_is_written_and_reads_as_the_same_decision(event: str, name: str) -> None:
    message = outcome(event, sequence=30_002)
    found = again(message, name)
    assert (found.type, found.subject, found.data.occurred) == (message.type, MRN, message.data.occurred)
    assert (found.data.decision.item, found.data.decision.authority) == (3, "PHSI")
    assert found.data.decision.reason.splitlines()[1:] == ["soil", "roots"]
    assert found.sequence == 30_001
    assert canonical(again(found, name)) == canonical(found)


def test_a_notification_stands_in_its_envelope_as_defras_gateway_writes_it() -> None:
    content = by_name("defra-decision").write(outcome("released", correlationid="4711"), UK).decode()
    assert content.count("<NS3:DecisionNotification") == 1
    assert "&lt;NS2:DecisionNotification" in content
    names = [
        "SourceSystem", "DestinationSystem", "CorrelationId", "ServiceCallTimestamp", "EntryReference",
        "EntryVersionNumber", "DecisionNumber", "ItemNumber", "CheckCode", "DecisionCode", "DecisionReason",
    ]  # fmt: skip
    places = [content.index(f"&lt;NS2:{name}&gt;") for name in names]
    assert places == sorted(places)
    assert "4711" in content
    assert "Password" not in content


def test_what_a_notification_cannot_say_is_refused_with_every_reason() -> None:
    def faults(message: Any) -> list[str]:
        with pytest.raises(TranslationError) as caught:
            by_name("defra-decision").write(message, UK)
        return [fault.pointer for fault in caught.value.faults]

    assert faults(outcome("declared")) == ["/type"]
    vague = {"authority": "somebody", "outcome": "held"}
    told = faults(outcome("held", decision=vague, identifiers=[{"scheme": "mrn", "value": "1"}]))
    assert told == ["/data/identifiers", "/data/decision/item", "/data/decision/authority"]
    by_goods = outcome(
        "held", decision=vague, goods=[{"item": 1}, {"item": 2}], documents=[{"type": "N851", "id": "x"}]
    )
    assert [one.data.decision.item for one in read(by_name("defra-decision").write(by_goods, UK))] == [1, 2]
    assert faults(outcome("held", decision=vague, goods=[{"item": 1}, {"hs": "06"}], source="gb.x")) == [
        "/data/decision/item", "/data/decision/authority",
    ]  # fmt: skip


def test_a_code_that_contradicts_the_event_gives_way_to_it() -> None:
    lying = {"authority": "PHSI", "outcome": "held", "item": 1, "reason": "H219 C03: inspection complete"}
    assert again(outcome("held", decision=lying), "defra-decision").type == "shipment.held"


_codes = [(check, code) for check in codes(UK, "authority") for code in codes(UK, "decision")]
_text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 999), st.sampled_from(_codes), st.lists(_text, max_size=3)), min_size=1, max_size=3
    ),
    st.integers(1, 99),
    st.integers(1, 9999),
    st.none() | st.datetimes(EARLY, LATE),
)
def test_what_is_read_is_written_and_read_the_same(
    said: list[tuple[int, tuple[str, str], list[str]]], version: int, number: int, until: datetime | None
) -> None:
    body = {
        "serviceHeader": {"sourceSystem": "ALVS", "correlationId": "7", "serviceCallTimestamp": SUMMER},
        "header": {"entryReference": MRN, "entryVersionNumber": version, "decisionNumber": number},
        "items": [
            {"itemNumber": at, "checks": [
                {"checkCode": check, "decisionCode": code, "decisionReasons": reasons}
                | ({"decisionValidUntil": f"{until:%Y%m%d%H%M}"} if until else {})]}
            for at, (check, code), reasons in said
        ],
    }  # fmt: skip
    for message in read(json.dumps(body)):
        for name in ("defra-decision", "defra-decision-json"):
            found = again(message, name)
            assert canonical(found) == canonical(message)
            assert (found.type, found.subject, found.sequence, found.correlationid) == (
                message.type, message.subject, message.sequence, message.correlationid,
            )  # fmt: skip


_wild = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["released", "held", "refused", "documents-required"]), _wild, st.integers(1, 999), _wild)
def test_any_text_makes_a_notification_that_can_be_read_again(event: str, reason: str, number: int, name: str) -> None:
    decided = {"authority": "APHA", "outcome": event, "item": number, "reason": reason}
    message = outcome(event, decision=decided, parties=[{"role": "importer", "name": name}])
    for form in ("defra-decision", "defra-decision-json"):
        found = again(message, form)
        assert (found.type, found.data.decision.item, found.data.decision.authority) == (message.type, number, "APHA")


_SEEDS = [
    request().encode(), soap(decision(item(1, ("H219", "C03")))).encode(), json.dumps(ched()).encode(),
    json.dumps({"serviceHeader": {}, "header": {"entryReference": MRN}, "items": [{"checks": [{}]}]}).encode(),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_SEEDS), st.integers(0, 4000), st.binary(max_size=6), st.integers(0, 40))
def test_whatever_is_broken_is_refused_and_never_breaks(seed: bytes, at: int, put: bytes, cut: int) -> None:
    content = seed[: at % len(seed)] + put + seed[at % len(seed) + cut :]
    for translator in TRANSLATORS:
        assert 0 <= translator.recognise(Document(content)) <= 1
        with suppress(TranslationError):
            messages(translator, Document(content), ORIGIN)


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                        ["serviceHeader", "header", "items", "checks", "checkCode", "decisionCode", "entryReference",
                         "partOne", "referenceNumber", "commodities", "gmrId", "gmrs", "state", "declarations",
                         "finalState", "errors", "resourceType", "operation", "resource", "clearanceRequest",
                         "clearanceDecision", "results", "message", "partTwo", "decision", "status"]), inner,
                        max_size=6), max_leaves=30))  # fmt: skip
def test_json_of_any_shape_is_refused_or_read(body: Any) -> None:
    content = json.dumps(body).encode()
    for translator in TRANSLATORS:
        with suppress(TranslationError):
            messages(translator, Document(content), ORIGIN)


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient", "operation": "Created", "resource": {"finalisation": {"finalState": "0"}}},
        {"finalState": "done", "errors": []}, {"processingErrors": [{"code": 1}]}, {"gmr": {"id": 3}},
        {"serviceHeader": {"id": 1}, "header": {"a": 1}}, {"partOne": {}, "partTwo": {}}, {"finalisation": "soon"},
    ],
)  # fmt: skip
def test_what_only_has_a_name_in_common_is_not_claimed(body: Any) -> None:
    document = Document(json.dumps(body).encode())
    assert all(translator.recognise(document) == 0 for translator in TRANSLATORS)


def test_faults_and_warnings_never_repeat_what_the_document_says() -> None:
    secret = "Zephyrine"
    content = request(f" {secret}9 ", code=secret).replace("0602109000", secret).replace(">KE<", f">{secret}<")
    message = read_one(content.replace(MRN, secret).replace("2026-03-01T10", secret).replace("H219", secret))
    assert warned(message) >= {"blanks", "hs-form", "country", "mrn-form", "time", "check-code"}
    assert secret not in str(message.data.native)
    with pytest.raises(TranslationError) as caught:
        read(decision(item(1, (secret, secret))))
    assert secret not in str(caught.value)


@pytest.mark.parametrize("entry", ["X" * 257, "X" * 513, "\u00df" * 200])
def test_a_reference_that_no_identifier_holds_names_no_declaration(entry: str) -> None:
    error = json.dumps(
        {"header": {"entryReference": entry}, "errors": [{"errorCode": "ALVSVAL101", "errorMessage": "x"}]}
        | {"serviceHeader": {"sourceSystem": "ALVS", "correlationId": "1"}}
    )
    assert refusal(error) == ["no-identifier"]


def test_floods_end_soon_and_are_told() -> None:
    flood = decision("".join(item(number, ("H219", "Q")) for number in range(1, 5000)))
    assert len(refusal(flood)) <= 110
    assert "too-many" in refusal(soap(request() * 1100))
    one = decision(item(1, *[("H219", "Q")] * 30_000))
    assert len(refusal(one)) <= 110
    papers = "<Document><DocumentCode>N851</DocumentCode><DocumentReference>x</DocumentReference></Document>" * 6000
    assert refusal(request(more=papers)) == ["too-many"]
    assert refusal("[" * 5000 + '"gmrs":1') == ["too-deep"]
    deep = '{"gmrs":' + "[" * 150 + "]" * 150 + "}"
    with pytest.raises(TranslationError, match="too-deep"):
        messages(by_name("defra-gmr"), Document(deep.encode()), ORIGIN)
    wide = '{"gmrs":[' + "[]," * 1_000_001 + "[]]}"
    with pytest.raises(TranslationError, match="too-much-markup"):
        messages(by_name("defra-gmr"), Document(wide.encode()), ORIGIN)
