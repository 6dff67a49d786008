"""DCSA: which event each code is, what a refusal names, and that what goes out comes back the same."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dcsa import TRANSLATORS
from adapters.dcsa_values import MAX_REFERENCES
from adapters.document import Document, Origin
from adapters.formats import FORMATS, recognise
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas import Message, build
from schemas.codes import container_check_digit
from schemas.errors import TranslationError
from schemas.shipment import Document as Paper

TNT, NOTICE, SCHEDULE, PORT_CALL, VGM = TRANSLATORS
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))
BOX = "MSKU" + "123456" + str(container_check_digit("MSKU123456"))


def event_3(kind: str, code: str, **more: Any) -> dict[str, Any]:
    return {
        "eventID": "e-1",
        "eventDateTime": "2026-03-01T08:00:00+09:00",
        "eventUpdatedDateTime": "2026-03-01T00:10:00Z",
        "eventClassification": {
            "eventTypeCode": kind, "eventClassifierCode": "ACT", f"{kind.lower()}EventTypeCode": code
        },
    } | more  # fmt: skip


def about(type_: str, reference: str = "R-77") -> dict[str, Any]:
    return {"shipmentDetails": {"documentReference": {"typeCode": type_, "reference": reference}}}


def boxed(code: str, **more: Any) -> dict[str, Any]:
    return event_3("EQUIPMENT", code, equipmentDetails={"equipmentReference": BOX, "ISOEquipmentCode": "22G1"}, **more)


def event_2(**more: Any) -> dict[str, Any]:
    return {
        "eventID": "5f0c1b52-6a56-4d0e-9d2e-6a0a3b0a4f11",
        "eventCreatedDateTime": "2026-03-01T00:10:00Z",
        "eventType": "EQUIPMENT",
        "eventClassifierCode": "ACT",
        "eventDateTime": "2026-03-01T08:00:00+09:00",
        "equipmentEventTypeCode": "DISC",
        "equipmentReference": BOX,
        "ISOEquipmentCode": "22G1",
        "emptyIndicatorCode": "LADEN",
    } | more


def read(value: Any, translator: Any = TNT) -> list[Message]:
    return messages(translator, Document(json.dumps(value).encode()), ORIGIN)


def refused(value: Any, translator: Any = TNT) -> list[tuple[str, str]]:
    with pytest.raises(TranslationError) as error:
        read(value, translator)
    return [(fault.code, fault.pointer) for fault in error.value.faults]


def outcome(content: bytes, translator: Any) -> list[Message] | list[str]:
    """What became of a document: its messages, or the codes of its faults."""
    try:
        return messages(translator, Document(content), ORIGIN)
    except TranslationError as error:
        return [fault.code for fault in error.faults if fault.detail]


def body(message: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = message.data.model_dump(mode="json", exclude_none=True)
    dumped.pop("native", None)
    return dumped


EQUIPMENT = {
    "LOAD": "loaded", "DISC": "discharged", "GTIN": "gated-in", "GTOT": "gated-out", "INSP": "inspected",
    "RSEA": "resealed", "CUSS": "selected-for-scan", "CUSI": "selected-for-inspection", "CUSR": "released",
    "CROS": "exited",
}  # fmt: skip


@pytest.mark.parametrize(("code", "word"), EQUIPMENT.items())
def test_an_equipment_event_is_the_word_for_it(code: str, word: str) -> None:
    (message,) = read({"events": [boxed(code)]})
    assert message.type == f"shipment.{word}"
    assert message.subject == BOX
    assert body(message)["equipment"] == [{"number": BOX, "type": "22G1"}]


@pytest.mark.parametrize("code", ["STUF", "STRP", "PICK", "DROP", "RMVD", "AVDO", "AVPU"])
def test_what_there_is_no_word_for_is_amended_and_its_own_code_goes_along_and_out_again(code: str) -> None:
    (loaded, message) = read({"events": [boxed("LOAD"), boxed(code, eventID="e-2")]})
    assert [loaded.type, message.type] == ["shipment.loaded", "shipment.amended"]
    assert body(message)["documents"] == [{"type": "dcsa-event", "id": f"EQUIPMENT {code}"}]
    (warning,) = message.data.native.warnings
    assert (warning.code, code in warning.detail) == ("fall-back", True)
    written = json.loads(TNT.write(message))["events"][0]
    assert written["eventClassification"]["equipmentEventTypeCode"] == code
    (again,) = messages(TNT, Document(TNT.write(message)), ORIGIN)
    assert (again.type, body(again)) == (message.type, body(message))


@pytest.mark.parametrize(
    ("kind", "code", "details", "own"),
    [
        ("IOT", "DETC", {"iotDetails": {"iotEventCode": "DRO"}}, "IOT DETC DRO"),
        ("IOT", "DETC", {}, "IOT DETC"),
        ("REEFER", "MEAS", {"reeferDetails": {"temperatureUnit": "CEL"}}, "REEFER MEAS"),
    ],
)
def test_what_a_device_at_a_container_tells_is_read_and_never_written(
    kind: str, code: str, details: dict[str, Any], own: str
) -> None:
    (message,) = read(event_3(kind, code, equipmentDetails={"equipmentReference": BOX}, **details))
    assert (message.type, message.subject) == ("shipment.amended", BOX)
    assert body(message)["documents"] == [{"type": "dcsa-event", "id": own}]
    with pytest.raises(TranslationError) as error:
        TNT.write(message)
    assert [fault.code for fault in error.value.faults] == ["not-expressible"]


def test_a_code_of_no_list_and_what_a_profile_leaves_out_are_not_carried() -> None:
    assert refused(boxed("XXXX")) == [("no-words", "")]
    partner = Profile("kr", "Korea", "1", NEUTRAL, {"dcsa": {"equipment_event": {"STUF": "skip", "LOAD": "skip"}}})
    origin = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC), profile=partner)
    for code in ("STUF", "LOAD"):
        with pytest.raises(TranslationError) as error:
            messages(TNT, Document(json.dumps(boxed(code)).encode()), origin)
        assert [fault.code for fault in error.value.faults] == ["no-words"]


def test_no_event_at_large_goes_out_as_the_amendment_of_a_declaration() -> None:
    (message,) = read(event_3("SHIPMENT", "ISSU", **about("CUC")))
    assert message.type == "shipment.amended"
    for name in ("wco-res", "edifact-cusres"):
        with pytest.raises(TranslationError) as error:
            FORMATS[name].write(message)
        assert [fault.code for fault in error.value.faults] == ["not-expressible"]
    assert json.loads(TNT.write(message))["events"][0]["eventClassification"]["shipmentEventTypeCode"] == "ISSU"
    marked = message.data.model_copy(update={"documents": [Paper(type="biz-step", id="packing")]})
    with pytest.raises(TranslationError):
        TNT.write(message.model_copy(update={"data": marked}))


@pytest.mark.parametrize(
    ("code", "paper", "word"),
    [
        ("RECE", "SHI", "declared"), ("SUBM", "AMF", "declared"), ("REJE", "SHI", "rejected"),
        ("PENU", "PCE", "documents-required"), ("HOLD", "CUC", "held"), ("RELS", "CUC", "released"),
        ("CANC", "TRD", "withdrawn"), ("VOID", "TRD", "withdrawn"), ("AMCF", "TRD", "amended"),
        ("RELS", "TRD", "amended"), ("HOLD", "BKG", None), ("RECE", "BKG", None), ("CONF", "BKG", None),
        ("DRFT", "SHI", "amended"), ("PENA", "SHI", "amended"), ("APPR", "TRD", "amended"), ("ISSU", "TRD", "amended"),
        ("SURR", "TRD", "amended"), ("REQS", "CUC", "amended"), ("CMPL", "CUC", "amended"), ("AMDC", "TRD", None),
    ],
)  # fmt: skip
def test_a_shipment_event_is_what_happened_to_that_kind_of_document(code: str, paper: str, word: str | None) -> None:
    event = event_3("SHIPMENT", code, **about(paper))
    if word is None:
        assert refused({"events": [event]}) == [("no-words", "")]
    else:
        assert [message.type for message in read({"events": [event]})] == [f"shipment.{word}"]


def test_the_release_of_a_bill_of_lading_releases_no_goods() -> None:
    for paper in NEUTRAL.table("dcsa", "document"):
        found = outcome(json.dumps(event_3("SHIPMENT", "RELS", **about(paper))).encode(), TNT)
        if paper in ("CUC", "AMF"):
            assert [getattr(one, "type", one) for one in found] == ["shipment.released"]
        else:
            assert [getattr(one, "type", one) for one in found] in (["no-words"], ["shipment.amended"]), paper
            assert all("decision" not in body(one) for one in found if isinstance(one, Message))


@pytest.mark.parametrize(("code", "word"), [("PLN", "planned"), ("EST", "estimated"), ("ACT", None)])
def test_the_classifier_says_whether_it_has_happened(code: str, word: str | None) -> None:
    (message,) = read(event_2(eventClassifierCode=code))
    assert body(message).get("classifier") == word


def test_an_event_of_2_2_is_read_with_every_reference() -> None:
    event = event_2(
        eventLocation={"UNLocationCode": "KRPUS", "facilityCode": "PNIT", "facilityCodeListProvider": "SMDG"},
        transportCall={
            "transportCallID": "call-9", "modeOfTransport": "VESSEL", "importVoyageNumber": "012W",
            "exportVoyageNumber": "012E", "vessel": {"vesselIMONumber": "9321483", "vesselOperatorCarrierCode": "MSC"},
        },
        documentReferences=[
            {"documentReferenceType": "BKG", "documentReferenceValue": "B 1"},
            {"documentReferenceType": "TRD", "documentReferenceValue": "T1"},
        ],
        references=[
            {"referenceType": "FF", "referenceValue": "F1"}, {"referenceType": "EQ", "referenceValue": BOX},
        ],
        seals=[{"sealNumber": "S1", "sealSource": "CUS", "sealType": "BLT"}],
    )  # fmt: skip
    (message,) = read([event])
    found = body(message)
    assert [(one["scheme"], one["value"]) for one in found["identifiers"]] == [
        ("container", BOX), ("other", "B1"), ("transport-document", "T1"), ("other", "F1"), ("seal", "S1"),
    ]  # fmt: skip
    assert found["identifiers"][-1]["issuer"] == "customs"
    assert found["place"] == {"locode": "KRPUS", "country": "KR", "facility": "SMDG:PNIT"}
    assert found["transport"] == {
        "mode": "1", "means": {"scheme": "imo", "value": "9321483"}, "voyage": "012W", "carrier": "MSC",
    }  # fmt: skip
    assert found["equipment"] == [{"number": BOX, "type": "22G1", "seals": ["S1"]}]
    assert found["occurred"] == "2026-03-01T08:00:00+09:00"


@pytest.mark.parametrize(
    "wrapped",
    [lambda e: e, lambda e: [e], lambda e: {"events": [e]}, lambda e: [{"events": [e]}]],
    ids=["single", "array", "wrapped", "array of wrapped"],
)
def test_an_event_is_found_in_every_wrapper(wrapped: Any) -> None:
    assert len(read(wrapped(event_2()))) == 1
    assert len(read(wrapped(boxed("LOAD")))) == 1


def test_another_structure_is_refused_as_such_and_not_as_missing_fields() -> None:
    assert refused([{"someEvents": [event_2()]}]) == [("structure", "/0")]
    assert refused({"events": []}) == [("no-event", "")]
    assert refused([7, event_2()]) == [("structure", "/0")]


def test_every_fault_of_every_event_is_told_at_once() -> None:
    bare = {"eventClassification": {"eventTypeCode": "EQUIPMENT"}}
    old = event_2(eventCreatedDateTime="2026 03 01", eventID="one", eventClassifierCode="MAYBE")
    assert set(refused([bare, old])) == {
        ("missing", "/0/eventDateTime"),
        ("classifier", "/0/eventClassification/eventClassifierCode"),
        ("missing", "/0/eventClassification/equipmentEventTypeCode"),
        ("event-id", "/1/eventID"),
        ("time", "/1/eventCreatedDateTime"),
        ("classifier", "/1/eventClassifierCode"),
    }


def test_a_place_in_no_country_refuses_the_event_since_its_audience_hangs_on_it() -> None:
    assert refused(event_2(eventLocation={"UNLocationCode": "QQABCD"})) == [("locode", "/eventLocation/UNLocationCode")]


def test_the_same_event_twice_is_one_and_another_under_its_id_is_a_fault() -> None:
    assert len(read([event_2(), event_2()])) == 1
    assert refused([event_2(), event_2(equipmentEventTypeCode="LOAD")]) == [("event-id", "/1/eventID")]


def test_a_reference_too_long_is_left_out_and_never_cut_and_of_too_many_the_first_are_kept() -> None:
    (message,) = read(event_2(documentReferences=[
        {"documentReferenceType": "TRD", "documentReferenceValue": "T" * 300},
    ]))  # fmt: skip
    assert [one["scheme"] for one in body(message)["identifiers"]] == ["container"]
    assert [warning.code for warning in message.data.native.warnings] == ["too-long"]
    many = [{"referenceType": "PO", "referenceValue": f"P{number}"} for number in range(MAX_REFERENCES + 9)]
    (message,) = read(event_2(references=many))
    assert len(body(message)["identifiers"]) <= MAX_REFERENCES
    assert [warning.code for warning in message.data.native.warnings] == ["more-references"]
    assert len(message.to_bytes()) < 1024 * 1024


def test_an_event_taken_back_is_told_as_such_and_never_as_one_that_happened() -> None:
    released = boxed("CUSR", eventID="e-2")
    taken_back = released | {"isRetracted": True, "eventUpdatedDateTime": "2026-03-05T08:00:00Z"}
    (before,), (after,) = read(released), read(taken_back)
    assert [before.type, after.type] == ["shipment.released", "shipment.amended"]
    assert before.correlationid == after.correlationid == "e-2"
    assert before.subject == after.subject
    found = body(after)
    assert found["occurred"] == "2026-03-05T08:00:00Z"
    assert found["documents"] == [{"type": "retracted", "id": f"EQUIPMENT CUSR {body(before)['occurred']}"}]
    assert "decision" not in found
    assert [warning.code for warning in after.data.native.warnings] == ["retracted"]
    with pytest.raises(TranslationError):
        TNT.write(after)


@pytest.mark.parametrize(("id_", "kept"), [("e-1", "e-1"), ("a\nb", None), ("\x00x", None), ("x" * 257, None)])
def test_an_events_id_correlates_where_an_envelope_can_hold_it(id_: str, kept: str | None) -> None:
    (message,) = read(boxed("LOAD", eventID=id_))
    assert message.correlationid == kept


def test_an_operator_is_a_carriers_code_or_left_out_and_goes_out_as_it_came() -> None:
    for stated, told in (
        ("MSC", "MSC"),
        ("hl", "HL"),
        ("9811", "9811"),
        ("5b80b59b-76cd-4003-8d10-c382b10704e9", None),
    ):
        vessel = {"vesselIMONumber": "9321483", "vesselOperatorCarrierCode": stated}
        (message,) = read(event_2(transportCall={"modeOfTransport": "VESSEL", "vessel": vessel}))
        assert body(message)["transport"].get("carrier") == told
        assert [warning.code for warning in message.data.native.warnings or []] == ([] if told else ["carrier"])
        (again,) = messages(TNT, Document(TNT.write(message)), ORIGIN)
        assert body(again) == body(message)


def test_a_vessel_on_nobodys_account_is_known_by_its_call() -> None:
    call = {"transportCallReference": "C-1", "vesselTransport": {"vesselIMONumber": "9321483"}}
    event = event_3("TRANSPORT", "ARRI", transportDetails={"transportCall": call})
    assert body(read(event)[0])["identifiers"] == [{"scheme": "other", "value": "C-1"}]
    del call["transportCallReference"]  # type: ignore[arg-type]
    assert body(read(event)[0])["identifiers"] == [{"scheme": "other", "value": "IMO9321483"}]
    del event["transportDetails"]
    assert refused(event) == [("no-identifier", "/")]


def test_a_notice_tells_when_its_containers_arrive() -> None:
    notice = {
        "issueDateTime": "2026-03-01T00:00:00Z",
        "transportDocumentReference": "HB-1",
        "carrierCode": "HDMU",
        "documentParties": [{"partyFunction": "CN", "partyName": "Consignee", "address": {"countryCode": "KR"}}],
        "transport": {
            "portOfDischarge": {"UNLocationCode": "KRPUS"},
            "portOfDischargeArrivalDate": {"value": "2026-03-09", "classifier": "EST"},
            "legs": [{"vesselVoyage": {"vesselName": "Two Seas", "carrierImportVoyageNumber": "9W"}}],
        },
        "utilizedTransportEquipments": [{"equipment": {"equipmentReference": BOX}, "seals": [{"number": "S9"}]}],
        "consignmentItems": [{
            "descriptionOfGoods": ["Bulbs"],
            "cargoItems": [
                {"cargoGrossWeight": {"value": 2, "unit": "TNE"}, "outerPackaging": {"numberOfPackages": 4}},
            ],
        }],
    }  # fmt: skip
    (message,) = read({"arrivalNotices": [notice]}, NOTICE)
    found = body(message)
    assert (message.type, found["classifier"], found["place"]["locode"]) == ("shipment.arrived", "estimated", "KRPUS")
    assert found["occurred"].startswith("2026-03-09")
    assert found["goods"] == [{"item": 1, "description": "Bulbs", "gross_mass_kg": 2000.0, "packages": 4}]
    assert found["parties"] == [{"role": "consignee", "name": "Consignee", "country": "KR"}]
    del notice["transport"]
    assert refused({"arrivalNotices": [notice]}, NOTICE) == [
        ("missing", "/arrivalNotices/0/portOfDischargeArrivalDate")
    ]


def test_a_schedule_tells_arrivals_and_departures_and_which_calls_do_not_take_place() -> None:
    stamp = {"eventTypeCode": "DEPA", "eventClassifierCode": "PLN", "eventDateTime": "2026-03-05T10:00:00+09:00"}
    call = {
        "transportCallReference": "C-2", "portVisitReference": "V-2", "carrierExportVoyageNumber": "5E",
        "location": {"UNLocationCode": "KRPUS"}, "timestamps": [stamp],
    }  # fmt: skip
    service: Any = [{"vesselSchedules": [{"vesselIMONumber": "9321483", "transportCalls": [call]}]}]
    (message,) = read(service, SCHEDULE)
    found = body(message)
    assert (message.type, found["classifier"]) == ("shipment.departed", "planned")
    assert found["identifiers"] == [{"scheme": "other", "value": "C-2"}]
    assert found["transport"]["voyage"] == "5E"
    call["statusCode"] = "OMIT"
    (off,) = read(service, SCHEDULE)
    assert (off.type, off.subject, body(off)["occurred"]) == ("shipment.amended", message.subject, found["occurred"])
    assert {"type": "retracted", "id": "DEPA OMIT"} in body(off)["documents"]
    assert [warning.code for warning in off.data.native.warnings] == ["call-cancelled"]
    assert refused([{"vessels": []}], SCHEDULE) == [("structure", "/0")]


def test_a_port_call_tells_arrival_at_the_berth_and_no_service_within_the_call() -> None:
    event: Any = {
        "portCall": {"portVisitReference": "V-3", "UNLocationCode": "KRPUS"},
        "portCallService": {"portCallServiceTypeCode": "BERTH", "portCallServiceEventTypeCode": "ARRI"},
        "vessel": {"vesselIMONumber": "9321483"},
        "timestamp": {"classifierCode": "EST", "serviceDateTime": "2026-03-05T10:00:00+09:00"},
    }
    (message,) = read({"events": [event]}, PORT_CALL)
    assert (message.type, body(message)["place"]["locode"]) == ("shipment.arrived", "KRPUS")
    (off,) = read({"events": [event | {"portCall": event["portCall"] | {"isOmitted": True}}]}, PORT_CALL)
    assert (off.type, off.subject) == ("shipment.amended", message.subject)
    assert {"type": "retracted", "id": "ARRI cancelled"} in body(off)["documents"]
    event["portCallService"] |= {"portCallServiceTypeCode": "PILOTAGE", "portCallServiceEventTypeCode": "STRT"}
    assert refused({"events": [event]}, PORT_CALL) == [("no-words", "")]


def test_a_verified_mass_is_a_declaration_that_can_be_withdrawn() -> None:
    declaration: Any = {
        "declarationReference": "V1", "declarationDateTime": "2026-03-01T00:00:00Z",
        "VGM": {"weight": {"value": 20, "unit": "TNE"}}, "equipmentDetails": {"equipmentReference": BOX},
    }  # fmt: skip
    (message,) = read({"VGMDeclarations": [declaration]}, VGM)
    assert message.type == "shipment.declared"
    assert "goods" not in body(message)
    assert [warning.code for warning in message.data.native.warnings] == ["vgm-not-carried"]
    declaration["isRetracted"] = True
    assert read({"VGMDeclarations": [declaration]}, VGM)[0].type == "shipment.withdrawn"
    del declaration["equipmentDetails"]
    assert refused({"VGMDeclarations": [declaration]}, VGM)[0][0] == "no-identifier"


def test_each_interface_is_known_by_its_names_alone() -> None:
    samples: list[tuple[Any, Any]] = [
        (event_2(), TNT), (boxed("LOAD"), TNT), ({"arrivalNotices": []}, NOTICE),
        ([{"vesselSchedules": []}], SCHEDULE), ({"VGMDeclarations": []}, VGM),
        ({"events": [{"portCallService": {}}]}, PORT_CALL),
    ]  # fmt: skip
    for value, translator in samples:
        document = Document(json.dumps(value).encode())
        assert recognise(document)[0] is translator


@pytest.mark.parametrize("content", [b"[NaN]", b'{"events": [1e', b"[" * 100_000, b'\xff{"events": 1}', b"7"])
def test_what_is_no_json_is_refused_with_the_rule(content: bytes) -> None:
    with pytest.raises(TranslationError) as error:
        messages(TNT, Document(content), ORIGIN)
    assert error.value.faults[0].code in ("not-json", "too-deep", "structure")


# What goes out


def message_of(word: str, **data: Any) -> Message:
    fields = {"identifiers": [{"scheme": "container", "value": BOX}], "occurred": "2026-03-01T08:00:00+09:00"} | data
    return build(
        specversion="1.0", id="m-1", source="kr.customs", type=f"shipment.{word}", subject="x",
        time=datetime(2026, 3, 4, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:shipment:1",
        data=fields,
    )  # fmt: skip


def not_written(message: Message) -> list[tuple[str, str]]:
    with pytest.raises(TranslationError) as error:
        TNT.write(message)
    return [(fault.code, fault.pointer) for fault in error.value.faults]


def test_a_release_goes_out_for_its_container_and_else_for_its_declaration() -> None:
    (event,) = json.loads(TNT.write(message_of("released")))["events"]
    assert event["eventClassification"]["equipmentEventTypeCode"] == "CUSR"
    assert event["equipmentDetails"] == {"equipmentReference": BOX}
    assert "shipmentDetails" not in event, "the container is named once"
    (event,) = json.loads(
        TNT.write(message_of("released", identifiers=[{"scheme": "mrn", "value": "26KR1"}]))
    )["events"]  # fmt: skip
    assert event["eventClassification"]["shipmentEventTypeCode"] == "RELS"
    assert event["shipmentDetails"]["documentReference"] == {"typeCode": "CUC", "reference": "26KR1"}


def test_what_a_message_lacks_is_named_and_never_invented() -> None:
    assert not_written(message_of("arrived")) == [("missing", "/data/place"), ("missing", "/data/transport/means")]
    ucr = [{"scheme": "ucr", "value": "6KR1"}]
    assert not_written(message_of("loaded", identifiers=ucr)) == [("missing", "/data/equipment")]
    assert not_written(message_of("held", identifiers=ucr)) == [("missing", "/data/documents")]
    assert not_written(message_of("refused")) == [("not-expressible", "/type")]


def test_each_container_of_an_event_goes_out_as_its_own_under_its_own_id() -> None:
    message = message_of("released", equipment=[{"number": BOX}, {"number": "TEMU0000001"}])
    events = json.loads(TNT.write(message))["events"]
    assert [event["eventID"] for event in events] == ["m-1-1", "m-1-2"]
    assert [one.type for one in read({"events": events})] == ["shipment.released"] * 2


def test_no_time_goes_out_longer_than_the_standard_holds_and_none_is_another_moment() -> None:
    moment = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    (event,) = json.loads(TNT.write(message_of("loaded", occurred=moment)))["events"]
    assert len(event["eventDateTime"]) <= 30
    assert datetime.fromisoformat(event["eventDateTime"]) == moment


word = st.text(st.sampled_from("ABZ019-/ é"), min_size=1, max_size=12).map(str.strip).filter(bool)
boxes = st.sampled_from([BOX, "TEMU0000001", "CHASSIS7"])
papers = st.sampled_from(["BKG", "TRD", "CUC", "PCE", "AMF", "SHI", "CUS"])
givens = st.sampled_from(["FF", "PO", "EQ", "DUE", "RUC", "SI"])


@st.composite
def natives(draw: st.DrawFn) -> dict[str, Any]:
    """Events of 3.0, most of which there is a word for."""
    kind = draw(st.sampled_from(["EQUIPMENT", "TRANSPORT", "SHIPMENT"]))
    codes = {
        "EQUIPMENT": [*EQUIPMENT, "STUF", "PICK"],
        "TRANSPORT": ["ARRI", "DEPA"],
        "SHIPMENT": ["RECE", "HOLD", "RELS", "REJE", "ISSU", "UPCF"],
    }
    event = event_3(kind, draw(st.sampled_from(codes[kind])))
    event["eventClassification"]["eventClassifierCode"] = draw(st.sampled_from(["PLN", "EST", "ACT"]))
    event["eventDateTime"] = draw(st.sampled_from(["2026-03-01T08:00:00.5+09:00", "2026-03-01T00:00:00.123456Z"]))
    pair = st.fixed_dictionaries({"typeCode": papers, "reference": word})
    event["shipmentDetails"] = draw(
        st.fixed_dictionaries(
            {"documentReference": pair} if kind == "SHIPMENT" else {},
            optional={
                "additionalDocumentReferences": st.lists(pair, max_size=3),
                "shipmentReferences": st.lists(
                    st.fixed_dictionaries({"typeCode": givens, "reference": word | boxes}), max_size=3
                ),
                "reason": word,
            },
        )
    )
    code = word.map(lambda text: text[:6].strip() or "A")
    facility = st.fixed_dictionaries({"facilityCode": code, "facilityCodeListProvider": st.just("SMDG")})
    event["eventLocation"] = draw(
        st.fixed_dictionaries(
            {"UNLocationCode": st.sampled_from(["KRPUS", "NLRTM"])},
            optional={
                "locationName": word,
                "facility": facility | st.fixed_dictionaries({"facilityName": word}),
                "address": st.fixed_dictionaries({"countryCode": st.sampled_from(["KR", "NL", "xx"])}),
            },
        )
    )
    if kind == "TRANSPORT" or draw(st.booleans()):
        event["transportDetails"] = {"transportCall": draw(calls())}
    if kind == "EQUIPMENT":
        seal = st.fixed_dictionaries({"number": word}, optional={"source": st.sampled_from(["CUS", "SHI"])})
        event["equipmentDetails"] = draw(
            st.fixed_dictionaries(
                {"equipmentReference": boxes},
                optional={"ISOEquipmentCode": st.just("22G1"), "seals": st.lists(seal, max_size=3)},
            )
        )
    return event


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """Transport calls with a means of transport."""
    voyage = st.fixed_dictionaries({"carrierVoyageNumber": word})
    means = draw(
        st.sampled_from(
            [
                {"vesselTransport": {"vesselIMONumber": "9321483", "operatorCarrierCode": "MSC"}},
                {"vesselTransport": {"vesselName": "Two Seas", "operatorCarrierCode": "MAEU"}},
                {"railTransport": {"railCarReference": "338-1"}},
                {"truckTransport": {"tractorDetails": {"licensePlate": "12GA345"}}},
            ]
        )
    )
    return means | draw(
        st.fixed_dictionaries(
            {},
            optional={
                "transportCallReference": word,
                "portVisitReference": word,
                "modeOfTransport": st.sampled_from(["VESSEL", "RAIL", "TRUCK", "BARGE"]),
                "importVoyageNumberOrReference": voyage,
                "exportVoyageNumberOrReference": voyage,
            },
        )
    )


@settings(max_examples=300, deadline=None)
@given(natives())
def test_what_was_read_goes_out_and_comes_back_the_same(native: dict[str, Any]) -> None:
    found = outcome(json.dumps({"events": [native]}).encode(), TNT)
    if not isinstance(found[0], Message):
        assert set(found) <= {"no-words", "no-identifier"}
        return
    (message,) = found
    (again,) = messages(TNT, Document(TNT.write(message)), ORIGIN)
    assert (again.type, again.subject) == (message.type, message.subject)
    # As models: times are equal that are the same moment.
    assert again.data.model_copy(update={"native": None}) == message.data.model_copy(update={"native": None})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(natives() | st.builds(event_2), st.data())
def test_an_altered_event_is_read_or_refused_and_never_breaks(native: dict[str, Any], data: st.DataObject) -> None:
    target = native
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(target)))
        if isinstance(target[name], dict) and target[name] and data.draw(st.booleans()):
            target = target[name]
        else:
            target[name] = data.draw(anything)
            break
    for translator in TRANSLATORS:
        value = {"events": [native], "arrivalNotices": [native], "VGMDeclarations": [native]}
        assert outcome(json.dumps(value).encode(), translator)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for translator in TRANSLATORS:
        assert outcome(content, translator)
