"""EPCIS: an event is one message in every spelling, keys meet in one form, long captures pass in little memory."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Findings, Origin
from adapters.epcis import EpcisJson, EpcisXml
from adapters.epcis_keys import Key, check_digit, comes_back, read_key, write_key
from adapters.epcis_stream import MAX_NODES, MAX_TOKEN_BYTES
from adapters.epcis_things import MAX_THINGS, cbv_word
from adapters.formats import FORMATS, recognise
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas import Message, build
from schemas.codes import container_check_digit
from schemas.errors import TranslationError

ROOT = Path(__file__).parents[2]
XML, JSON = EpcisXml(), EpcisJson()
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))
BOX = "CSQU" + "305438" + str(container_check_digit("CSQU305438"))
SSCC = "urn:epc:id:sscc:8801234.0000000017"


def event(**more: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent",
        "eventTime": "2026-03-01T08:00:00+09:00",
        "eventTimeZoneOffset": "+09:00",
        "epcList": [f"urn:epc:id:bic:{BOX}", SSCC],
        "action": "OBSERVE",
        "bizStep": "arriving",
    } | more


def document(*events: Any) -> dict[str, Any]:
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-03-01T00:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }  # fmt: skip


def read(value: Any) -> list[Message]:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    translator = XML if content.lstrip().startswith(b"<") else JSON
    return messages(translator, Document(content), ORIGIN)


def outcome(content: bytes, translator: Any = None) -> list[Message] | list[str]:
    """What became of a document: its messages, or the codes of its faults."""
    try:
        return messages(translator, Document(content), ORIGIN) if translator else read(content)
    except TranslationError as error:
        return [fault.code for fault in error.faults if fault.detail]


def refused(value: Any) -> list[tuple[str, str]]:
    with pytest.raises(TranslationError) as error:
        read(value)
    return [(fault.code, fault.pointer) for fault in error.value.faults]


def body(message: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = message.data.model_dump(mode="json", exclude_none=True)
    dumped.pop("native", None)
    return dumped


def warned(message: Any) -> list[str]:
    return [warning.code for warning in message.data.native.warnings or []]


def xml(version: str, inner: str, root: str = "EPCISDocument") -> bytes:
    return (
        f'<?xml version="1.0"?><!-- a capture --><e:{root} xmlns:e="urn:epcglobal:epcis:xsd:{version}" '
        f'xmlns:x="http://example.org/x" schemaVersion="{version}.0" creationDate="2026-03-01T00:00:00Z">'
        f"<EPCISBody><EventList>{inner}</EventList></EPCISBody></e:{root}>"
    ).encode()


def results(inner: str, *, soap: bool = False) -> bytes:
    """What a query service answers: bare, or in SOAP."""
    bare = (
        '<q:QueryResults xmlns:q="urn:epcglobal:epcis-query:xsd:1"><queryName>SimpleEventQuery</queryName>'
        f"<resultsBody><EventList>{inner}</EventList></resultsBody></q:QueryResults>"
    )
    envelope = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
    return (envelope.format(bare) if soap else bare).encode()


HEAD = "<eventTime>2026-03-01T08:00:00+09:00</eventTime><eventTimeZoneOffset>+09:00</eventTimeZoneOffset>"
EPCS = f"<epcList><epc>urn:epc:id:bic:{BOX}</epc><epc>{SSCC}</epc></epcList><action>OBSERVE</action>"
OBJECT = f"<ObjectEvent>{HEAD}{EPCS}<bizStep>urn:epcglobal:cbv:bizstep:arriving</bizStep></ObjectEvent>"


def test_an_event_is_the_same_message_in_every_binding_and_wrapper() -> None:
    query = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISQueryDocument",
        "epcisBody": {"queryResults": {"queryName": "Q", "resultsBody": {"eventList": [event()]}}},
    }
    found = [
        read(value)
        for value in (
            xml("1", OBJECT), xml("2", OBJECT), OBJECT.encode(), document(event()), query, [event()], event(),
            {"eventList": [event()]}, results(OBJECT), results(OBJECT, soap=True),
        )
    ]  # fmt: skip
    assert all(len(one) == 1 for one in found)
    assert {one[0].type for one in found} == {"shipment.arrived"}
    assert all(body(one[0]) == body(found[0][0]) for one in found)
    assert body(found[0][0]) == {
        "identifiers": [
            {"scheme": "container", "value": BOX},
            {"scheme": "other", "value": "088012340000000178", "issuer": "GS1 SSCC"},
        ],
        "occurred": "2026-03-01T08:00:00+09:00",
        "equipment": [{"number": BOX}],
    }


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ("arriving", "arrived"), ("receiving", "arrived"), ("departing", "departed"), ("shipping", "departed"),
        ("consigning", "departed"), ("loading", "loaded"), ("unloading", "discharged"),
        ("inspecting", "inspected"), ("holding", "held"),
    ],
)  # fmt: skip
def test_a_step_is_its_word_in_each_of_its_spellings(step: str, word: str) -> None:
    link = f"https://ref.gs1.org/cbv/BizStep-{step}"
    for spelling in (step, f"urn:epcglobal:cbv:bizstep:{step}", link, f"cbv:BizStep-{step}"):
        assert [message.type for message in read(event(bizStep=spelling))] == [f"shipment.{word}"]


def test_an_event_for_which_there_is_no_word_of_its_own_is_amended_and_its_own_words_go_along() -> None:
    for step, word in NEUTRAL.table("epcis", "biz_step").items():
        (message,) = read(event(bizStep=step))
        assert message.type == f"shipment.{word or 'amended'}", step
        assert warned(message) == ([] if word else ["fall-back"]), step
        documents = body(message).get("documents")
        assert documents == (None if word else [{"type": "biz-step", "id": step}]), step
    own = "http://example.org/step/x"
    (message,) = read(event(bizStep=own, disposition="recalled"))
    assert body(message)["documents"] == [{"type": "biz-step", "id": own}, {"type": "disposition", "id": "recalled"}]
    bare = event(action="DELETE")
    del bare["bizStep"]
    (message,) = read(bare)
    assert (message.type, body(message)["documents"]) == ("shipment.amended", [{"type": "biz-step", "id": "none"}])
    assert message.data.native.warnings[0].detail.startswith("ObjectEvent DELETE without a step: read as amended")


def test_no_step_is_told_as_a_decision_of_an_authority() -> None:
    words = {*NEUTRAL.table("epcis", "biz_step").values(), *NEUTRAL.table("epcis", "event_type").values()}
    assert not words & {"released", "refused", "rejected", "declared", "withdrawn", "exited"}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("AggregationEvent", {"parentID": f"urn:epc:id:bic:{BOX}", "childEPCs": [SSCC], "action": "ADD"}),
        ("AssociationEvent", {"parentID": f"urn:epc:id:bic:{BOX}", "childEPCs": [SSCC], "action": "ADD"}),
        ("TransactionEvent", {"bizTransactionList": [{"bizTransaction": "http://x.example/1"}], "action": "ADD"}),
        ("TransformationEvent", {"inputEPCList": [SSCC], "outputEPCList": [f"urn:epc:id:bic:{BOX}"]}),
    ],
)  # fmt: skip
def test_an_event_of_any_type_is_read(kind: str, more: dict[str, Any]) -> None:
    found = {"type": kind, "eventTime": "2026-03-01T08:00:00Z", "eventTimeZoneOffset": "+09:00"} | more
    (message,) = read(found)
    assert message.type == "shipment.amended"
    assert body(message)["identifiers"]


def test_a_thousand_events_of_a_kind_are_told_of_once() -> None:
    found = read([event(bizStep="packing", eventID=f"urn:uuid:{number}") for number in range(1000)])
    assert len(found) == 1000
    assert warned(found[0]) == ["fall-back"]


def test_a_profile_says_what_is_not_carried() -> None:
    partner = Profile(
        "kr", "Korea", "1", NEUTRAL, {"epcis": {"biz_step": {"packing": "skip"}, "event_type": {"ObjectEvent": "skip"}}}
    )
    origin = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC), profile=partner)
    content = json.dumps([event(bizStep="packing"), event(), event(bizStep="storing")]).encode()
    (message,) = messages(JSON, Document(content), origin)
    assert (message.type, warned(message)) == ("shipment.arrived", ["no-words", "no-words"])
    with pytest.raises(TranslationError) as error:
        messages(JSON, Document(json.dumps([event(bizStep="packing")]).encode()), origin)
    assert [fault.code for fault in error.value.faults] == ["no-words"]


def test_what_goes_out_as_amended_says_the_step_that_it_came_with() -> None:
    (message,) = read(event(bizStep="sensor_reporting", disposition="container_open"))
    written = json.loads(JSON.write(message))["epcisBody"]["eventList"][0]
    assert (written["bizStep"], written["disposition"]) == ("sensor_reporting", "container_open")
    (again,) = read(JSON.write(message))
    assert (again.type, body(again)) == (message.type, body(message))
    bare = event()
    del bare["bizStep"]
    (message,) = read(bare)
    assert "bizStep" not in json.loads(JSON.write(message))["epcisBody"]["eventList"][0]
    (again,) = read(JSON.write(message))
    assert (again.type, body(again)) == (message.type, body(message))


def test_no_event_at_large_goes_out_as_the_amendment_of_a_declaration_nor_the_other_way_round() -> None:
    transactions = [{"type": "bol", "bizTransaction": "urn:epcglobal:cbv:bt:8801234000017:HBL1"}]
    wrong = {"errorDeclaration": {"declarationTime": "2026-03-02T00:00:00Z"}}
    for more in ({"bizStep": "packing"}, {"bizStep": None}, {"bizStep": "departing"} | wrong):
        (message,) = read(event(bizTransactionList=transactions, **more))
        for name in ("wco-res", "edifact-cusres", "dcsa-tnt"):
            with pytest.raises(TranslationError) as error:
                FORMATS[name].write(message)
            assert [fault.code for fault in error.value.faults] == ["not-expressible"], name
    with pytest.raises(TranslationError) as error:
        JSON.write(message_of("amended"))
    assert [fault.code for fault in error.value.faults] == ["not-expressible"]


def test_a_partners_own_steps_are_read_where_a_profile_says_what_they_are() -> None:
    step = "http://example.org/step/customs-cleared"
    partner = Profile("kr", "Korea", "1", NEUTRAL, {"epcis": {"biz_step": {step: "released", "packing": "loaded"}}})
    origin = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC), profile=partner)
    content = json.dumps([event(bizStep=step), event(bizStep="packing"), event()]).encode()
    found = messages(JSON, Document(content), origin)
    assert [message.type for message in found] == ["shipment.released", "shipment.loaded", "shipment.arrived"]


def test_an_events_offset_is_that_of_its_place() -> None:
    (message,) = read(event(eventTime="2026-02-28T23:00:00Z"))
    assert body(message)["occurred"] == "2026-03-01T08:00:00+09:00"
    (message,) = read(event(eventTime="2026-02-28T23:00:00"))
    assert "zone_assumed" not in body(message)


@pytest.mark.parametrize(
    ("urn", "link", "kind", "value"),
    [
        (SSCC, "https://id.gs1.org/00/088012340000000178", "sscc", "088012340000000178"),
        ("urn:epc:id:sgtin:0614141.112345.400", "https://shop.example/x/01/10614141123459/21/400?a=1", "sgtin",
         "(01)10614141123459(21)400"),
        ("urn:epc:id:sgtin:0614141.112345.lot", "https://id.gs1.org/gtin/10614141123459/ser/lot", "sgtin",
         "(01)10614141123459(21)lot"),
        ("urn:epc:id:gsin:0614141.123456789", "https://id.gs1.org/402/06141411234567890", "gsin", "06141411234567890"),
        ("urn:epc:id:ginc:0614141.xyz47%2F11", "https://id.gs1.org/401/0614141xyz47%2F11", "ginc", "0614141xyz47/11"),
        ("urn:epc:id:grai:0614141.12345.400", "https://id.gs1.org/8003/00614141123452400", "grai", "00614141123452400"),
        ("urn:epc:id:giai:0614141.12345400", "https://id.gs1.org/8004/061414112345400", "giai", "061414112345400"),
        ("urn:epc:id:sgln:0614141.12345.400", "https://id.gs1.org/414/0614141123452/254/400", "sgln",
         "0614141123452/400"),
        ("urn:epc:id:pgln:0614141.12345", "https://id.gs1.org/417/0614141123452", "pgln", "0614141123452"),
        ("urn:epc:id:gsrn:0614141.1234567890", "https://id.gs1.org/8018/061414112345678902", "gsrn",
         "061414112345678902"),
        ("urn:epc:id:gdti:0614141.12345.A4", "https://id.gs1.org/253/0614141123452A4", "gdti", "0614141123452A4"),
        ("urn:epc:class:lgtin:0614141.112345.L7", "https://id.gs1.org/01/10614141123459/10/L7", "lgtin",
         "(01)10614141123459(10)L7"),
    ],
)  # fmt: skip
def test_a_urn_and_a_digital_link_of_one_key_meet(urn: str, link: str, kind: str, value: str) -> None:
    for uri in (urn, link):
        key = read_key(uri)
        assert (key.kind, key.value, key.sound) == (kind, value, True)
    again = write_key(kind, value)
    assert again is not None
    assert read_key(again) == read_key(urn)


@given(st.text(st.sampled_from("urn:epcid./0123456789ABCsgtinlk%*-_"), max_size=60))
def test_any_uri_is_a_key_or_itself(text: str) -> None:
    for uri in (text, f"urn:epc:id:sscc:{text}", f"https://id.gs1.org/{text}", f"urn:epc:id:sgtin:{text}"):
        key = read_key(uri)
        if key.kind == "uri":
            assert key.value == uri.strip()
        else:
            written = write_key(key.kind, key.value)
            assert written is None or read_key(written).value == key.value


def test_the_check_digit_is_gs1s() -> None:
    assert check_digit("629104150021") == "3"


@given(st.text(st.sampled_from("0123456789"), min_size=7, max_size=20))
def test_a_check_digit_makes_the_weighted_sum_a_multiple_of_ten(digits: str) -> None:
    whole = digits + check_digit(digits)
    assert sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(whole))) % 10 == 0


@given(
    st.sampled_from(["sscc", "sgtin", "sgln", "pgln", "grai", "giai", "bic", "gdti", "cpi"]),
    st.sampled_from(["{}", "(01)10614141123459(21){}", "0061414112345{}", "061414112345678902", "8801234{}", "CSQU{}"]),
    st.text(st.sampled_from("019AZaz(.)/% 2"), max_size=22),
)
def test_a_key_is_said_to_come_back_only_if_it_does(kind: str, form: str, tail: str) -> None:
    key = Key(kind, form.format(tail))
    again = write_key(kind, "".join(key.value.split()).upper())
    assert comes_back(key) == (again is not None and read_key(again).value == key.value)


def test_a_key_with_letters_joins_in_upper_case_and_is_kept_as_it_was() -> None:
    uri = "urn:epc:id:giai:8801234.aBc"
    (message,) = read(event(epcList=[uri]))
    found = body(message)
    assert found["identifiers"] == [{"scheme": "equipment", "value": "8801234ABC", "issuer": "GS1 GIAI"}]
    assert found["documents"] == [{"type": "epc", "id": uri}]
    (again,) = read(JSON.write(message))
    assert body(again) == found


def test_what_where_and_who_are_read() -> None:
    (message,) = read(
        event(
            readPoint={"id": "urn:epc:id:sgln:8801234.00001.0"},
            bizLocation={"id": "https://vocabulary.uncefact.org/unlocode#KRPUS"},
            bizTransactionList=[
                {"type": "bol", "bizTransaction": "urn:epcglobal:cbv:bt:8801234000017:HBL 1".replace(" ", "")},
                {"type": "urn:epcglobal:cbv:btt:cert", "bizTransaction": "https://certs.example/7"},
                {"bizTransaction": "urn:epc:id:gdti:0614141.12345.9"},
            ],
            sourceList=[{"type": "owning_party", "source": "urn:epc:id:pgln:0614141.12345"}],
            destinationList=[{"type": "location", "destination": "urn:epc:id:sgln:0614141.12345.400"}],
            epcList=["urn:epc:id:imovn:9321483", f"urn:epc:id:bic:{BOX}"],
            quantityList=[{"epcClass": "urn:epc:class:lgtin:0614141.112345.L7", "quantity": 12.5, "uom": "KGM"}],
        )
    )
    found = body(message)
    assert found["place"] == {"locode": "KRPUS", "country": "KR", "facility": "GLN 8801234000017"}
    assert found["transport"] == {"means": {"scheme": "imo", "value": "9321483"}}
    assert found["parties"] == [
        {"role": "seller", "id": "GLN 0614141123452"}, {"role": "ship-to", "id": "GLN 0614141123452/400"},
    ]  # fmt: skip
    assert [(one["scheme"], one["value"]) for one in found["identifiers"]] == [
        ("container", BOX), ("transport-document", "HBL1"), ("certificate", "HTTPS://CERTS.EXAMPLE/7"),
        ("other", "06141411234529"),
    ]  # fmt: skip
    assert found["goods"] == [{"description": "urn:epc:class:lgtin:0614141.112345.L7 12.5 KGM"}]


def test_a_type_of_transaction_that_is_no_uri_is_left_out_and_its_reference_kept() -> None:
    (message,) = read(event(bizTransactionList=[{"type": "?", "bizTransaction": "http://x.example/1"}]))
    assert body(message)["documents"] == [{"id": "http://x.example/1"}]
    assert warned(message) == ["transaction-type"]
    (again,) = read(JSON.write(message))
    assert body(again) == body(message)


def test_a_batch_identifies_only_where_nothing_better_does() -> None:
    amount = {"epcClass": "urn:epc:class:lgtin:0614141.112345.L7", "quantity": 3}
    (message,) = read(event(quantityList=[amount]))
    assert len(body(message)["identifiers"]) == 2
    alone = event(quantityList=[amount])
    del alone["epcList"]
    (message,) = read(alone)
    assert body(message)["identifiers"] == [
        {"scheme": "other", "value": "(01)10614141123459(10)L7", "issuer": "GS1 LGTIN"}
    ]
    quantity = (
        f"<QuantityEvent>{HEAD}<epcClass>urn:epc:class:lgtin:0614141.112345.L7</epcClass><quantity>3</quantity>"
        "<bizStep>urn:epcglobal:cbv:bizstep:arriving</bizStep></QuantityEvent>"
    )
    assert body(read(xml("1", quantity))[0]) == body(message)


def test_the_parent_of_an_aggregation_comes_first_and_a_transformation_is_of_inputs_and_outputs() -> None:
    aggregation = {
        "type": "AggregationEvent", "eventTime": "2026-03-01T08:00:00+09:00", "eventTimeZoneOffset": "+09:00",
        "parentID": f"urn:epc:id:bic:{BOX}", "childEPCs": [SSCC], "action": "ADD", "bizStep": "loading",
    }  # fmt: skip
    (message,) = read(aggregation)
    assert message.subject == BOX
    transformation = {
        "type": "TransformationEvent", "eventTime": "2026-03-01T08:00:00+09:00", "eventTimeZoneOffset": "+09:00",
        "inputEPCList": [SSCC], "outputEPCList": [f"urn:epc:id:bic:{BOX}"], "bizStep": "inspecting",
    }  # fmt: skip
    assert len(body(read(transformation)[0])["identifiers"]) == 2


def test_a_disposition_is_the_outcome_of_what_was_inspected_or_held_alone() -> None:
    assert body(read(event(bizStep="inspecting", disposition="non_conformant"))[0])["decision"] == {
        "outcome": "non-conformant"
    }
    assert body(read(event(bizStep="holding", disposition="damaged"))[0])["decision"] == {"outcome": "damaged"}
    assert "decision" not in body(read(event(disposition="in_transit"))[0])


def test_an_event_declared_erroneous_is_told_as_such_and_never_as_one_that_happened() -> None:
    id_ = "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8"
    right = event(bizStep="departing", eventID=id_)
    wrong = right | {"errorDeclaration": {"declarationTime": "2026-03-02T00:00:00Z"}}
    before, after = read([right, wrong])
    assert [before.type, after.type] == ["shipment.departed", "shipment.amended"]
    assert before.correlationid == after.correlationid == id_
    assert (before.subject, body(before)["identifiers"]) == (after.subject, body(after)["identifiers"])
    assert body(after)["occurred"] == "2026-03-02T00:00:00Z"
    assert body(after)["documents"] == [{"type": "declared-erroneous", "id": "departing 2026-03-01T08:00:00+09:00"}]
    assert warned(after) == ["declared-erroneous"]
    with pytest.raises(TranslationError) as error:
        JSON.write(after)
    assert [fault.code for fault in error.value.faults] == ["not-expressible"]
    old = (
        f"<ObjectEvent>{HEAD}<baseExtension><errorDeclaration><declarationTime>2026-03-02T00:00:00Z</declarationTime>"
        f"</errorDeclaration></baseExtension>{EPCS}<bizStep>urn:epcglobal:cbv:bizstep:departing</bizStep></ObjectEvent>"
    )
    found = read(xml("1", old + OBJECT))
    assert [message.type for message in found] == ["shipment.amended", "shipment.arrived"]
    assert body(found[0]) == body(after)


def test_what_is_not_carried_is_named() -> None:
    (message,) = read(
        event(
            **{"ext:colour": "red"}, sensorElementList=[{"sensorReport": [{"type": "Temperature", "value": 1}]}],
            colour="red",
        )
    )  # fmt: skip
    assert warned(message) == ["extension", "unknown-member", "sensor-data"]
    assert "ext:colour" in message.data.native.warnings[0].detail


def test_what_the_standard_leaves_no_other_reading_for_is_refused() -> None:
    amount = {"epcClass": "urn:epc:class:lgtin:0614141.112345.L7"}
    for more, fault in (
        ({"ilmd": {"lot": 1}}, ("unknown-member", "/0/ilmd")),
        ({"quantityList": [amount | {"weight": 5}]}, ("unknown-member", "/0/quantityList/0/weight")),
        ({"quantityList": [amount | {"quantity": "twenty"}]}, ("quantity", "/0/quantityList/0/quantity")),
        ({"certificationInfo": [{"gs1:CertificationDetails": {"gs1:certificationAuditDate": "soon"}}]},
         ("time", "/0/certificationInfo/0/gs1:certificationAuditDate")),
    ):  # fmt: skip
        assert refused([event(**more)]) == [fault]
    without = document(event())
    del without["@context"]
    assert refused(without) == [("missing", "/@context")]


def test_the_names_of_the_drafts_of_2_0_are_read() -> None:
    draft = event(bizStep="https://gs1.org/voc/BizStep-arriving")
    draft["isA"] = draft.pop("type")
    (message,) = read([draft])
    assert (message.type, warned(message)) == ("shipment.arrived", ["renamed"])
    keyword = event()
    keyword["@type"] = keyword.pop("type")
    assert [body(one) for one in read([keyword])] == [body(message)]


def test_elements_that_changed_places_are_read_and_an_event_without_its_time_first_is_refused() -> None:
    step = "<bizStep>urn:epcglobal:cbv:bizstep:arriving</bizStep>"
    (message,) = read(xml("2", f"<ObjectEvent>{HEAD}{step}{EPCS}</ObjectEvent>"))
    assert (message.type, warned(message)) == ("shipment.arrived", ["order"])
    assert [code for code, _ in refused(xml("2", f"<ObjectEvent>{step}{HEAD}{EPCS}</ObjectEvent>"))] == ["order"]


def test_a_partners_own_needs_no_namespace_within_an_extension_and_one_outside() -> None:
    own = "<extension><extension><colour>red</colour></extension></extension>"
    inner = OBJECT.replace("</ObjectEvent>", f"{own}</ObjectEvent>")
    (message,) = read(xml("1", inner))
    assert warned(message) == ["extension"]
    outer = OBJECT.replace("</ObjectEvent>", "<colour>red</colour></ObjectEvent>")
    assert [code for code, _ in refused(xml("1", outer))] == ["unknown-element"]


def test_a_document_type_that_declares_nothing_is_read_and_every_other_is_refused() -> None:
    whole = xml("2", OBJECT)
    for declared in (b"<!DOCTYPE project>", b"<!DOCTYPE\n e:EPCISDocument >"):
        content = whole.replace(b"?>", b"?>" + declared, 1)
        (message,) = read(content)
        assert warned(message) == ["document-type"]
        assert recognise(Document(content))[0].name == "epcis-xml"
        entity = content.replace(SSCC.encode(), b"&x;")
        assert [code for code, _ in refused(entity)] == ["not-well-formed"]
    for declared in (
        b'<!DOCTYPE a [<!ENTITY x "y">]>', b"<!DOCTYPE a []>", b'<!DOCTYPE a SYSTEM "a.dtd">',
        b'<!DOCTYPE a PUBLIC "-//A//B" "a.dtd">', b"<!DOCTYPE a [<!ATTLIST e:EPCISDocument y CDATA 'z'>]>",
    ):  # fmt: skip
        for content in (
            whole.replace(b"?>", b"?>" + declared, 1),
            whole.replace(b"?>", b"?><!-- <!DOCTYPE a> -->" + declared, 1),
            whole.replace(b"?>", b"?><!-- <!DOCTYPE a> -->" + b" " * 5000 + declared, 1),
            whole.replace(b"?>", b"?><!-- <!DOCTYPE a><b -->" + b" " * 5000 + declared, 1),
            whole.replace(b"?>", b"?>" + b" " * 5000 + declared, 1),
        ):
            assert [code for code, _ in refused(content)] == ["document-type"], content[:80]
    for encoding in ("utf-16-le", "cp500"):
        named = whole.replace(b'<?xml version="1.0"?>', f'<?xml version="1.0" encoding="{encoding}"?>'.encode(), 1)
        content = named.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY x "y">]>', 1).decode().encode(encoding)
        assert refused_as(content) & {"document-type", "not-well-formed"}


def refused_as(content: bytes) -> set[str]:
    with pytest.raises(TranslationError) as error:
        messages(XML, Document(content), ORIGIN)
    return {fault.code for fault in error.value.faults}


def test_a_query_is_known_and_says_that_nothing_happened() -> None:
    poll = b'<q:Poll xmlns:q="urn:epcglobal:epcis-query:xsd:1"><queryName>SimpleEventQuery</queryName></q:Poll>'
    assert recognise(Document(poll))[0].name == "epcis-xml"
    assert refused(poll) == [("no-event", "")]
    other = b'<project xmlns:a="http://x.example"><q xmlns:q="urn:epcglobal:epcis-query:xsd:1"/></project>'
    assert XML.recognise(Document(other)) == 0.0


def test_what_is_too_long_or_too_much_is_left_out_with_a_warning_and_never_cut() -> None:
    long = "urn:epc:id:giai:8801234." + "1" * 600
    (message,) = read(event(epcList=[SSCC, long], bizTransactionList=[{"bizTransaction": "http://x/" + "1" * 600}]))
    assert len(body(message)["identifiers"]) == 1
    assert warned(message) == ["epc", "too-long", "transaction"]
    (message,) = read(event(epcList=[f"urn:epc:id:giai:8801234.{number}" for number in range(MAX_THINGS + 5)]))
    assert len(body(message)["identifiers"]) == MAX_THINGS
    assert warned(message) == ["more-things"]
    assert len(message.to_bytes()) < 1024 * 1024


def test_the_faults_of_a_hostile_event_are_counted_but_not_kept() -> None:
    assert len(refused(xml("2", f"<ObjectEvent>{HEAD}{'<q/>' * 5000}</ObjectEvent>"))) < 110


def test_every_fault_of_every_event_is_told_at_once() -> None:
    bare = {"type": "ObjectEvent", "epcList": [SSCC]}
    odd = event(action="CREATE", bizStep="teleporting", disposition="lost", eventTime="22-07-2026")
    odd["sourceList"] = [{"type": "place", "source": "urn:epc:id:sgln:8801234.00001.0"}]
    empty = event()
    del empty["epcList"]
    found = refused(document(bare, odd, empty, event(type="Event"), 7))
    at = "/epcisBody/eventList"
    assert set(found) == {
        ("missing", f"{at}/0/eventTime"), ("missing", f"{at}/0/action"),
        ("action", f"{at}/1/action"), ("biz-step", f"{at}/1/bizStep"), ("disposition", f"{at}/1/disposition"),
        ("time", f"{at}/1/eventTime"), ("source-type", f"{at}/1/sourceList/0/type"),
        ("missing", f"{at}/2/epcList"), ("event-type", f"{at}/3/type"), ("structure", f"{at}/4"),
    }  # fmt: skip


def test_xml_out_of_order_and_unknown_elements_are_refused_with_place_and_rule() -> None:
    late = f"<ObjectEvent>{EPCS}{HEAD}</ObjectEvent>"
    assert {code for code, _ in refused(xml("2", late))} == {"order"}
    extra = f"<ObjectEvent>{HEAD}{EPCS}<colour>red</colour></ObjectEvent>"
    assert refused(xml("2", OBJECT + extra)) == [("unknown-element", "/ObjectEvent[2] (line 1)/colour")]
    theirs = OBJECT.replace("</ObjectEvent>", "<x:colour>red</x:colour></ObjectEvent>")
    assert warned(read(xml("2", theirs))[0]) == ["extension"]


def test_what_holds_no_event_is_refused_as_that() -> None:
    assert refused(document()) == [("no-event", "")]
    assert refused({"EQ_action": ["ADD"], "eventType": ["ObjectEvent"]}) == [("no-event", "")]
    for root in ("EPCISQueryDocument", "EPCISMasterDataDocument"):
        assert refused(xml("2", "", root)) == [("no-event", "")]
    assert refused(b"<note/>") == [("structure", "line 1")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + OBJECT.encode(), "document-type"),
        (b'<?xml version="1.0" encoding="UTF-7"?>' + OBJECT.encode(), "encoding"),
        (OBJECT.encode()[:-9], "not-well-formed"),
        (b"<EPCISDocument>" + b"<a>" * 200, "too-deep"),
        (f"<ObjectEvent>{'<a/>' * (MAX_NODES + 1)}</ObjectEvent>".encode(), "too-much-markup"),
        (b'{"epcisBody": ', "not-json"),
        (b'{"epcisBody": {"eventList": [' + b"[" * 200, "too-deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not-json"),
        (b'{"a": 1e99999999999999999999}', "not-json"),
        (b'[{"epcList": [' + b"1," * (MAX_NODES + 1) + b"1]}]", "too-much-markup"),
        (b'["' + b"x" * (MAX_TOKEN_BYTES + 200_000) + b'"]', "too-long"),
        (b"[1] [2]", "not-json"),
        (b'["\xff"]', "not-json"),
        (b"", "not-json"),
    ],
)
def test_what_is_hostile_or_broken_is_refused_with_the_rule(content: bytes, code: str) -> None:
    found = outcome(content, XML if content.startswith(b"<") else JSON)
    assert code in found


def test_each_binding_is_known_by_its_content_alone() -> None:
    for value, translator in ((xml("1", OBJECT), "epcis-xml"), (OBJECT.encode(), "epcis-xml")):
        assert recognise(Document(value))[0].name == translator
    for one in (document(event()), [event()], event()):
        assert recognise(Document(json.dumps(one).encode()))[0].name == "epcis-json"
    assert XML.recognise(Document(b"<note><EPCISDocument/></note>")) == 0
    assert JSON.recognise(Document(b'{"$schema": "x", "EPCISDocument": {"epcisBody": 1}}')) == 0


# Streaming


def endless(binding: str, taken: list[int]) -> Iterator[bytes]:
    """A capture without an end, in pieces that fall anywhere."""
    start, one = (xml("2", "").split(b"</EventList>")[0], OBJECT.encode())
    if binding == "json":
        start, one = b'{"type": "EPCISDocument", "epcisBody": {"eventList": [', json.dumps(event()).encode() + b","
    yield start
    while True:
        for place in range(0, len(one), 97):
            taken[0] += 1
            yield one[place : place + 97]


@pytest.mark.parametrize(("binding", "translator"), [("xml", XML), ("json", JSON)])
def test_a_draft_is_there_as_soon_as_its_event_is(binding: str, translator: Any) -> None:
    taken = [0]
    stream = translator.stream(endless(binding, taken), ORIGIN)
    for number in range(1, 50):
        assert next(stream).type == "shipment.arrived"
        assert taken[0] <= number * 8


def test_a_file_and_pieces_of_one_byte_give_the_same_drafts() -> None:
    for translator, content in ((XML, xml("2", OBJECT * 3)), (JSON, json.dumps(document(event(), event())).encode())):
        whole = list(translator.stream(io.BytesIO(content), ORIGIN))
        assert list(translator.stream((bytes([one]) for one in content), ORIGIN)) == whole
        assert len(whole) in (2, 3)


# In a process of its own: what this one freed before would hide a growth.
GROWTH = """
from datetime import UTC, datetime
from pathlib import Path
from adapters.document import Origin
from adapters.epcis import EpcisXml

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

def pieces():
    yield b"<EPCISDocument><EPCISBody>"
    for _ in range(300):
        yield b"<VocabularyElement id='urn:x:y'/>" * 1000
    print(resident_pages() - before)
    yield b"<EventList><ObjectEvent/></EventList></EPCISBody></EPCISDocument>"

before = resident_pages()
try:
    list(EpcisXml().stream(pieces(), Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC))))
except Exception as error:
    assert "eventTime" in str(error), error
"""


def test_what_has_been_read_is_freed() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], cwd=ROOT, capture_output=True, text=True, check=True)
    # Kept, the 300 000 elements would take some 40 MB.
    assert int(done.stdout) * 4096 < 15 * 1024 * 1024


def test_a_key_that_is_a_thing_and_a_transaction_stays_both() -> None:
    uri = "urn:epc:id:ginc:0614141.xyz"
    (message,) = read(event(epcList=[uri], bizTransactionList=[{"bizTransaction": uri}]))
    (one,) = json.loads(JSON.write(message))["epcisBody"]["eventList"]
    assert (one["epcList"], one["bizTransactionList"]) == ([uri], [{"bizTransaction": uri}])
    uri = "urn:epc:id:giai:0614141.a"
    (message,) = read(
        event(epcList=[uri], bizTransactionList=[{"bizTransaction": f"urn:epc:id:bic:{BOX}"}, {"bizTransaction": uri}])
    )
    assert body(read(JSON.write(message))[0]) == body(message)
    only = [{"bizTransaction": "urn:epc:id:gdti:0614141.12345.9"}]
    (message,) = read(event(bizTransactionList=only))
    (one,) = json.loads(JSON.write(message))["epcisBody"]["eventList"]
    assert (len(one["epcList"]), one["bizTransactionList"]) == (2, only)


def test_what_hides_from_who_looks_at_the_first_piece_is_found_all_the_same() -> None:
    hidden = b'<?xml version="1.0" encoding="UTF-7"?>' + OBJECT.encode()
    late = b"<!--" + b"x" * 5000 + b'--><!DOCTYPE a [<!ENTITY b "c">]>' + OBJECT.encode()
    for content, code in ((hidden, "encoding"), (late, "document-type")):
        with pytest.raises(TranslationError) as error:
            list(XML.stream((bytes([one]) for one in content), ORIGIN))
        assert [fault.code for fault in error.value.faults] == [code]
    marked = b"\xef\xbb\xbf" + json.dumps(event()).encode()
    assert len(list(JSON.stream((bytes([one]) for one in marked), ORIGIN))) == 1
    wide = Document(f'<?xml version="1.0" encoding="UTF-16"?>{OBJECT}'.encode("utf-16"))
    assert recognise(wide)[0] is FORMATS["epcis-xml"]
    assert len(messages(XML, wide, ORIGIN)) == 1


def test_what_was_odd_is_told_to_who_streams_and_faults_end_the_stream() -> None:
    findings = Findings()
    master = {"type": "http://example.org/Own", "eventTime": "2026-03-01T08:00:00Z"}
    content = json.dumps([event(), master, event(action="X"), event()]).encode()
    stream = JSON.stream([content], ORIGIN, findings)
    assert [next(stream).type for _ in range(2)] == ["shipment.arrived"] * 2
    with pytest.raises(TranslationError) as error:
        next(stream)
    assert [warning.code for warning in findings.warnings] == ["no-words"]
    assert [fault.code for fault in error.value.faults] == ["action"]


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
        JSON.write(message)
    return [(fault.code, fault.pointer) for fault in error.value.faults]


def test_what_epcis_has_no_words_for_is_refused_and_what_is_planned_has_not_happened() -> None:
    assert not_written(message_of("released")) == [("not-expressible", "/type")]
    assert not_written(message_of("arrived", classifier="planned")) == [("not-expressible", "/data/classifier")]
    ucr = [{"scheme": "ucr", "value": "6KR1"}]
    assert not_written(message_of("arrived", identifiers=ucr)) == [("missing", "/data/identifiers")]


def test_a_container_goes_out_as_its_urn_and_a_plain_number_not_as_a_key_it_may_not_be() -> None:
    both = [{"scheme": "container", "value": BOX}, {"scheme": "other", "value": "088012340000000178"}]
    (one,) = json.loads(JSON.write(message_of("held", identifiers=both)))["epcisBody"]["eventList"]
    assert one["epcList"] == [f"urn:epc:id:bic:{BOX}"]
    assert (one["bizStep"], one["eventTimeZoneOffset"]) == ("holding", "+09:00")


def test_an_offset_that_epcis_cannot_write_goes_out_as_utc() -> None:
    far = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=15)))
    (one,) = json.loads(JSON.write(message_of("arrived", occurred=far)))["epcisBody"]["eventList"]
    assert (one["eventTime"], one["eventTimeZoneOffset"]) == ("2026-02-28T17:00:00Z", "+00:00")


serial = st.text(st.sampled_from("AZaz09-_.!%'()/"), min_size=1, max_size=8)
uris = st.one_of(
    st.just(f"urn:epc:id:bic:{BOX}"), st.just(SSCC), st.just("urn:epc:id:imovn:9321483"),
    serial.map(lambda s: "urn:epc:id:sgtin:0614141.112345." + s.replace("%", "").replace("/", "%2F")),
    serial.map(lambda s: "urn:epc:id:giai:0614141." + s.replace("%", "")),
    st.sampled_from([
        "https://id.gs1.org/402/06141411234567890", "urn:epc:id:ginc:0614141.xyz", "urn:epc:id:grai:0614141.12345.4",
        "http://example.org/Thing/7", "urn:uuid:3f5a", "urn:epc:class:lgtin:0614141.112345.L7", "tag:x,2026:a",
        "https://id.gs1.org/8006/061414112345020102/21/9",
    ]),
)  # fmt: skip
places = st.sampled_from(
    ["urn:epc:id:sgln:8801234.00001.0", "https://id.gs1.org/414/0614141123452/254/4a", "geo:35.1,129.0",
     "https://vocabulary.uncefact.org/unlocode#KRPUS", "http://example.org/dock/7"]
)  # fmt: skip


@st.composite
def natives(draw: st.DrawFn) -> dict[str, Any]:
    """Events with every part that is carried."""
    steps = [*NEUTRAL.table("epcis", "biz_step"), None, "http://example.org/step/x"]
    types = st.sampled_from([*NEUTRAL.table("epcis", "biz_transaction"), "http://example.org/btt"])
    transaction = uris | st.just("urn:epcglobal:cbv:bt:8801234000017:AB-1")
    amounts = st.fixed_dictionaries(
        {"epcClass": uris},
        optional={
            "quantity": st.integers(0, 10**6) | st.sampled_from([0.25, 1.5, 1e-3, 200.0]),
            "uom": st.sampled_from(["KGM", "LTR"]),
        },
    )
    found = event(bizStep=draw(st.sampled_from(steps)), epcList=draw(st.lists(uris, max_size=4)))
    found["eventTime"] = draw(st.sampled_from(["2026-03-01T08:00:00.25+09:00", "2026-03-01T00:00:00Z"]))
    return found | draw(
        st.fixed_dictionaries(
            {},
            optional={
                "disposition": st.sampled_from(sorted(NEUTRAL.table("epcis", "disposition"))),
                "readPoint": st.fixed_dictionaries({"id": places}),
                "bizLocation": st.fixed_dictionaries({"id": places}),
                "quantityList": st.lists(amounts, min_size=1, max_size=3),
                "bizTransactionList": st.lists(
                    st.fixed_dictionaries({"bizTransaction": transaction}, optional={"type": types}), max_size=3
                ),
                "sourceList": st.lists(
                    st.fixed_dictionaries({"type": st.sampled_from(["location", "owning_party"]), "source": places}),
                    max_size=2,
                ),
                "destinationList": st.lists(
                    st.fixed_dictionaries({"type": st.just("possessing_party"), "destination": places}), max_size=2
                ),
            },
        )
    )


@settings(max_examples=400, deadline=None)
@given(natives())
def test_what_was_read_goes_out_and_comes_back_the_same(native: dict[str, Any]) -> None:
    found = outcome(json.dumps(document(native)).encode())
    if not isinstance(found[0], Message):
        assert found == ["no-words"]
        return
    (message,) = found
    (again,) = read(JSON.write(message))
    assert (again.type, again.subject) == (message.type, message.subject)
    assert again.data.model_copy(update={"native": None}) == message.data.model_copy(update={"native": None})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(natives(), st.data())
def test_an_altered_event_is_read_or_refused_and_never_breaks(native: dict[str, Any], data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(native)) | st.text(max_size=6))
        native[name] = data.draw(anything | st.lists(st.dictionaries(st.sampled_from(["type", "id"]), anything)))
    assert outcome(json.dumps(document(native)).encode())


def told(content: bytes, *, pieces: int) -> Any:
    """What becomes of a JSON document that comes in pieces; of one piece it is what `read` says."""
    findings = Findings()
    try:
        if pieces == 1:
            reading = JSON.read(Document(content), ORIGIN)
            return reading.drafts, list(reading.warnings)
        parts = [content[at : at + 40] for at in range(0, len(content), 40)]
        return tuple(JSON.stream(parts, ORIGIN, findings)), findings.warnings
    except TranslationError as error:
        return [(fault.code, fault.pointer) for fault in error.faults]


@settings(max_examples=150, deadline=None)
@given(natives(), st.data())
def test_a_document_says_the_same_at_once_and_in_pieces(native: dict[str, Any], data: st.DataObject) -> None:
    odd = data.draw(st.sampled_from(sorted(native)) | st.sampled_from(["@type", "isA", "@context"]))
    native[odd] = data.draw(anything)
    wrappers = [
        document(event(), native), [native, event()], {"eventList": [native]}, native, {"epcisBody": {"event": native}},
        {"type": "EPCISDocument", "epcisBody": {"eventList": [native]}}, [[native]], [native, 1], "x", None,
        {"epcisBody": {"queryResults": {"resultsBody": {"eventList": [native]}}}, "eventTime": "2026-03-01T08:00:00Z"},
        {"eventList": [native], "epcisBody": {"eventList": [native]}},
    ]  # fmt: skip
    content = json.dumps(data.draw(st.sampled_from(wrappers)), ensure_ascii=data.draw(st.booleans()))
    whole = content.encode("utf-8", "surrogatepass")
    cut = data.draw(st.sampled_from([0, 0, 0, 1, 7]))
    whole = whole[: len(whole) - cut]
    assert told(whole, pieces=1) == told(whole, pieces=2)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_altered_bytes_are_read_or_refused(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([xml("1", OBJECT * 2), json.dumps(document(event(), event())).encode()]))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 20)))
    content = whole[:start] + data.draw(st.binary(max_size=6)) + whole[end:]
    for translator in (XML, JSON):
        assert outcome(content, translator)


def test_a_word_of_the_vocabulary_is_told_from_one_of_another() -> None:
    assert cbv_word("https://ns.gs1.org/cbv/Disp-in_transit") == "in_transit"
    assert cbv_word("in_transit") == "in_transit"
    assert cbv_word("http://example.org/Disp-in_transit") is None
