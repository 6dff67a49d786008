"""ONE Record: what happened to air cargo, from JSON-LD in any of its shapes, without ever asking a server."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Origin
from adapters.formats import by_name, recognise
from adapters.translator import messages
from schemas.envelope import parse
from schemas.errors import TranslationError

ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))
CARGO, API = "https://onerecord.iata.org/ns/cargo#", "https://onerecord.iata.org/ns/api#"
STATUS = "https://onerecord.iata.org/ns/code-lists/StatusCode#"
CONTEXT = {"cargo": CARGO, "api": API}
SHIPMENT = "https://1r.example.org/logistics-objects/s1"
TIME = "2026-03-01T10:38:01.000Z"


def read(body: Any) -> list[Any]:
    document = Document(json.dumps(body).encode())
    assert recognise(document)[0] is by_name("iata-one-record")
    found = messages(by_name("iata-one-record"), document, ORIGIN)
    assert [parse(message.to_bytes()) for message in found] == found
    return found


def read_one(body: Any) -> Any:
    (message,) = read(body)
    return message


def refusal(body: Any) -> list[str]:
    with pytest.raises(TranslationError) as caught:
        read(body)
    return [fault.code for fault in caught.value.faults]


def canonical(message: Any) -> Any:
    return message.data.model_copy(update={"native": None})


def pairs(message: Any) -> list[tuple[str, str]]:
    return [(one.scheme, one.value) for one in message.data.identifiers]


def event(code: str = "DEP", **changes: Any) -> dict[str, Any]:
    return {
        "@context": CONTEXT, "@type": "cargo:LogisticsEvent",
        "cargo:eventDate": {"@type": "http://www.w3.org/2001/XMLSchema#dateTime", "@value": TIME},
        "cargo:creationDate": {"@value": "2026-03-01T11:00:00Z"},
        "cargo:eventCode": {"@id": STATUS + code}, "cargo:eventTimeType": {"@id": "cargo:ACTUAL"},
        "cargo:eventFor": {"@type": "cargo:Shipment", "@id": SHIPMENT},
        "cargo:recordingOrganization": {"@type": "cargo:Company", "cargo:name": "Han Air"},
    } | changes  # fmt: skip


WAYBILL = {
    "@id": "https://1r.example.org/logistics-objects/w1", "@type": "cargo:Waybill", "cargo:waybillPrefix": "180",
    "cargo:waybillNumber": "12345675", "cargo:waybillType": {"@id": "cargo:MASTER"},
    "cargo:shipment": {"@id": SHIPMENT},
}  # fmt: skip
CONSIGNMENT = {
    "@id": SHIPMENT, "@type": "cargo:Shipment", "cargo:goodsDescription": "Orchids",
    "cargo:waybill": {"@id": WAYBILL["@id"]},
    "cargo:totalGrossWeight": {"@type": "cargo:Value", "cargo:numericalValue": 20.5,
                               "cargo:unit": {"@id": "https://vocabulary.uncefact.org/UnitMeasureCode#KGM"}},
    "cargo:pieces": [
        {"@type": "cargo:Piece", "@id": "https://1r.example.org/logistics-objects/p1", "cargo:upid": "UP-1",
         "cargo:loadedIn": {"@type": "cargo:ULD", "cargo:uldTypeCode": "AKE", "cargo:uldSerialNumber": "12345",
                            "cargo:ownerCode": {"@id": "https://x.org/AirlineCode#HA"}, "cargo:sealNumber": "S9"}},
        {"@type": "cargo:Piece", "@id": "https://1r.example.org/logistics-objects/p2"},
    ],
}  # fmt: skip


def test_an_event_tells_what_happened_when_and_to_which_shipment() -> None:
    message = read_one(event())
    assert (message.type, message.subject) == ("shipment.departed", SHIPMENT.upper())
    assert pairs(message) == [("other", SHIPMENT.upper())]
    assert message.data.occurred == datetime.fromisoformat(TIME)
    assert message.time.hour == 11
    assert message.data.transport.mode == "4"
    assert message.data.parties[0].name == "Han Air"
    assert message.data.classifier is None


def test_what_is_linked_within_the_document_is_followed_to_waybill_pieces_and_load_units() -> None:
    message = read_one({"@context": CONTEXT, "@graph": [event(), CONSIGNMENT, WAYBILL]})
    assert message.subject == "180-12345675"
    assert pairs(message) == [
        ("other", SHIPMENT.upper()), ("transport-document", "180-12345675"), ("other", WAYBILL["@id"].upper()),
        ("other", "UP-1"), ("other", "HTTPS://1R.EXAMPLE.ORG/LOGISTICS-OBJECTS/P1"),
        ("other", "HTTPS://1R.EXAMPLE.ORG/LOGISTICS-OBJECTS/P2"), ("equipment", "AKE12345HA"), ("seal", "S9"),
    ]  # fmt: skip
    (goods,) = message.data.goods
    assert (goods.description, goods.gross_mass_kg, goods.packages) == ("Orchids", 20.5, 2)
    assert [(one.number, one.type) for one in message.data.equipment] == [("AKE12345HA", "ULD")]
    assert [(one.type, one.id) for one in message.data.documents] == [("741", "180-12345675")]


def expanded(value: Any) -> Any:
    """The same in expanded form: full names, values in arrays."""
    if isinstance(value, list):
        return [expanded(one) for one in value]
    if not isinstance(value, dict):
        return value if isinstance(value, str) and value.startswith("http") else {"@value": value}
    whole = {}
    for name, inner in value.items():
        if name == "@context":
            continue
        if name in ("@id", "@value"):
            whole[name] = inner.replace("cargo:", CARGO) if isinstance(inner, str) else inner
        elif name == "@type":
            whole[name] = [inner.replace("cargo:", CARGO).replace("api:", API)]
        elif name == "@graph":
            whole[name] = expanded(inner)
        else:
            found = expanded(inner)
            whole[name.replace("cargo:", CARGO).replace("api:", API)] = found if isinstance(found, list) else [found]
    return whole


def renamed(value: Any) -> Any:
    """The same under a default vocabulary, keywords renamed."""
    text = json.dumps(value).replace('"cargo:', '"').replace("cargo:", "")
    text = text.replace('"@id"', '"id"').replace('"@type"', '"type"')
    body = json.loads(text)
    return body | {"@context": {"@vocab": CARGO, "id": "@id", "type": "@type"}}


def test_every_shape_of_json_ld_says_the_same() -> None:
    graph = {"@context": CONTEXT, "@graph": [event(), CONSIGNMENT, WAYBILL]}
    plain = canonical(read_one(graph))
    assert canonical(read_one(expanded(graph))) == plain
    assert canonical(read_one(expanded(graph)["@graph"])) == plain
    bare = {
        "@context": CONTEXT,
        "@graph": [{k: v for k, v in one.items() if k != "@context"} for one in graph["@graph"]],
    }
    assert canonical(read_one(renamed(bare))) == plain
    other = json.loads(json.dumps(bare).replace("cargo:", "c:"))
    assert canonical(read_one(other | {"@context": {"c": CARGO}})) == plain
    embedded = event(**{"cargo:eventFor": CONSIGNMENT | {"cargo:waybill": WAYBILL}})
    assert canonical(read_one(embedded)) == plain


def test_a_context_that_lies_elsewhere_is_never_fetched_and_that_is_told() -> None:
    body = json.loads(json.dumps(event()).replace("cargo:", ""))
    message = read_one(body | {"@context": "https://onerecord.iata.org/ns/cargo"})
    assert message.type == "shipment.departed"
    assert [one.code for one in message.data.native.warnings] == ["context-not-fetched"]
    undeclared = event()
    del undeclared["@context"]
    assert read_one(undeclared).data.native.warnings[0].code == "undeclared-prefix"


def test_names_of_another_vocabulary_say_nothing() -> None:
    body = event(**{"@context": CONTEXT | {"x": "https://x.org/"}, "x:eventCode": {"@id": STATUS + "DLV"}})
    assert read_one(body).type == "shipment.departed"
    del body["cargo:eventCode"]
    assert refusal(body) == ["event-code"]


@pytest.mark.parametrize(
    ("code", "kind", "classifier"),
    [("DEP", "departed", None), ("ARR", "arrived", None), ("NFD", "arrived", None), ("RCF", "discharged", None),
     ("MAN", "loaded", "planned"), ("RCS", "gated-in", None), ("DLV", "gated-out", None),
     ("BKD", "declared", "planned"),
     ("TGC", "held", None)],
)  # fmt: skip
def test_a_status_code_is_one_event(code: str, kind: str, classifier: str | None) -> None:
    message = read_one(event(code))
    assert (message.type, message.data.classifier) == (f"shipment.{kind}", classifier)


def test_what_a_carrier_says_of_customs_is_told_as_the_carriers_word() -> None:
    found = read_one(event("CCD", **{"cargo:eventName": "Cleared"}))
    assert (found.type, found.data.decision.authority) == ("shipment.released", "customs")
    assert found.data.decision.reason == "CCD Cleared; reported by Han Air"


@pytest.mark.parametrize("code", ["DIS_MSCA", "AWD", "DOC"])
def test_what_says_nothing_of_where_the_goods_are_is_amended_and_its_code_goes_along(code: str) -> None:
    message = read_one(event(code))
    assert message.type == "shipment.amended"
    assert [(one.type, one.id) for one in message.data.documents] == [("iata-status", code)]
    for name in ("wco-res", "edifact-cusres", "dcsa-tnt", "epcis-json"):
        with pytest.raises(TranslationError) as caught:
            by_name(name).write(message)
        assert [fault.code for fault in caught.value.faults][:1] == ["not-expressible"], name


@pytest.mark.parametrize("code", ["OSI", "OCI", "XXX", ""])
def test_a_code_that_is_no_event_of_a_shipment_is_refused_and_keeps_no_other_back(code: str) -> None:
    assert refusal(event(code)) == ["event-code"]
    both = read_one([event(code), event("ARR")])
    assert both.type == "shipment.arrived"
    assert "not-read-event-code" in {one.code for one in both.data.native.warnings}


def test_codes_are_read_however_they_are_written() -> None:
    for said in (
        "DEP",
        STATUS + "DEP",
        {"@type": "cargo:CodeListElement", "cargo:code": "DEP"},
        [{"@id": STATUS + "DEP"}],
    ):
        assert read_one(event(**{"cargo:eventCode": said})).type == "shipment.departed"
    assert read_one(event(**{"cargo:eventTimeType": "cargo:ESTIMATED"})).data.classifier == "estimated"


def test_an_element_of_the_core_code_lists_is_its_code() -> None:
    core = "https://onerecord.iata.org/ns/coreCodeLists#"
    weight = {
        "@type": "cargo:Value",
        "cargo:numericalValue": 7,
        "cargo:unit": {"@id": core + "MeasurementUnitCode_KGM"},
    }
    shipment = {"@type": "cargo:Shipment", "@id": SHIPMENT, "cargo:totalGrossWeight": weight}
    message = read_one(event(**{"cargo:eventCode": {"@id": core + "StatusCode_ARR"}, "cargo:eventFor": shipment}))
    assert message.type == "shipment.arrived"
    assert message.data.goods[0].gross_mass_kg == 7


@pytest.mark.parametrize(
    ("base", "names"),
    [
        ("https://onerecord.iata.org/cargo#", "https://onerecord.iata.org/cargo#event#{}"),
        ("https://onerecord.iata.org/cargo/", "https://onerecord.iata.org/cargo/Event#{}"),
        ("https://onerecord.iata.org/", "iata:event:{}"),
        ("https://onerecord.iata.org/", "https://onerecord.iata.org/ns/cargo#{}"),
    ],
)
def test_an_event_in_the_words_before_2023_is_read(base: str, names: str) -> None:
    before = {
        "@context": {"iata": "https://onerecord.iata.org/"}, "@type": f"{base}Event",
        names.format("dateTime"): TIME, names.format("eventCode"): "ARR",
        names.format("eventTypeIndicator"): "Actual",
        names.format("linkedPiece"): {"@type": f"{base}Piece", "@id": SHIPMENT},
    }  # fmt: skip
    message = read_one(before)
    assert (message.type, message.data.occurred) == ("shipment.arrived", datetime.fromisoformat(TIME))
    assert pairs(message) == [("other", SHIPMENT.upper())]
    del before[names.format("eventCode")]
    assert refusal(before) == ["no-event"]


def test_a_place_is_a_locode_or_an_airport() -> None:
    def place(code: str) -> Any:
        of = {"@type": "cargo:Location", "cargo:locationName": "Incheon", "cargo:locationCodes": [
            {"@type": "cargo:CodeListElement", "cargo:code": code}]}  # fmt: skip
        return read_one(event(**{"cargo:eventLocation": of})).data.place

    assert (place("KRICN").locode, place("KRICN").country) == ("KRICN", "KR")
    assert (place("ICN").locode, place("ICN").facility, place("ICN").name) == (None, "ICN", "Incheon")


def test_an_event_without_an_object_is_known_by_its_own_address_or_refused() -> None:
    alone = {name: value for name, value in event().items() if name != "cargo:eventFor"}
    assert refusal(alone) == ["no-identifier"]
    assert read_one(alone | {"@id": SHIPMENT + "/logistics-events/e1"}).subject == SHIPMENT.upper()
    held = {"@context": CONTEXT, "@type": "cargo:Shipment", "@id": SHIPMENT, "cargo:events": [alone]}
    assert read_one(held).subject == SHIPMENT.upper()


def note(told: str, kind: str = "Shipment", **changes: Any) -> dict[str, Any]:
    return {
        "@context": CONTEXT, "@type": "api:Notification", "api:hasEventType": {"@id": "api:" + told},
        "api:hasLogisticsObject": {"@id": SHIPMENT},
        "api:hasLogisticsObjectType": {"@value": CARGO + kind},
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("told", "kind"), [("LOGISTICS_OBJECT_CREATED", "declared"), ("LOGISTICS_OBJECT_UPDATED", "amended"),
                       ("CHANGE_REQUEST_ACCEPTED", "amended")],
)  # fmt: skip
def test_a_notification_about_a_shipment_is_an_event_of_it(told: str, kind: str) -> None:
    message = read_one(note(told))
    assert (message.type, message.time) == (f"shipment.{kind}", ORIGIN.received)
    assert pairs(message) == [("other", SHIPMENT.upper())]
    own = [] if kind == "declared" else [("iata-status", told)]
    assert [(one.type, one.id) for one in message.data.documents or []] == own
    whole = read_one(note(told, **{"api:hasLogisticsObject": CONSIGNMENT | {"cargo:waybill": WAYBILL}}))
    assert whole.subject == "180-12345675"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("LOGISTICS_EVENT_RECEIVED", "Shipment"),
        ("CHANGE_REQUEST_REJECTED", "Shipment"),
        ("LOGISTICS_OBJECT_UPDATED", "Company"),
    ],
)
def test_a_notification_that_says_nothing_of_a_shipment_is_refused(told: str, kind: str) -> None:
    assert refusal(note(told, kind)) == ["notification"]


def test_an_event_inside_a_notification_is_the_event() -> None:
    alone = {name: value for name, value in event("ARR").items() if name != "cargo:eventFor"}
    message = read_one(note("LOGISTICS_EVENT_RECEIVED", **{"api:hasLogisticsEvent": alone}))
    assert (message.type, message.subject) == ("shipment.arrived", SHIPMENT.upper())


def test_what_only_describes_a_thing_is_no_event() -> None:
    assert refusal({"@context": CONTEXT} | CONSIGNMENT) == ["no-event"]


def test_floods_end_soon_and_are_told() -> None:
    started = time.process_time()
    pieces = [{"@type": "cargo:Piece", "@id": f"https://x.org/{number}"} for number in range(20_000)]
    many = {"@context": CONTEXT, "@graph": [CONSIGNMENT | {"cargo:pieces": pieces}, *[event() for _ in range(300)]]}
    found = messages(by_name("iata-one-record"), Document(json.dumps(many).encode()), ORIGIN)
    assert len(found) == 300
    assert "cut" in {one.code for one in found[0].data.native.warnings}
    assert refusal([event() for _ in range(1001)]) == ["too-many"]
    sea = {"@context": CONTEXT, "@graph": [event(), {"cargo:pieces": [{} for _ in range(100_001)]}]}
    assert refusal(sea) == ["too-many"]
    circle = {"@context": CONTEXT, "@graph": [event(), CONSIGNMENT | {"cargo:pieces": [{"@id": SHIPMENT}]}]}
    assert read_one(circle).type == "shipment.departed"
    assert time.process_time() - started < 10


_names = st.sampled_from([
    "@context", "@id", "@type", "@value", "@graph", "@list", "@vocab", "cargo", "cargo:eventCode", "cargo:eventFor",
    "cargo:pieces", "cargo:waybillNumber", "cargo:eventLocation", "cargo:eventDate", "api:hasEventType",
    CARGO + "waybill",
])  # fmt: skip
_leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from([SHIPMENT, "cargo:Piece"])
_bodies = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(_bodies)
def test_json_of_any_shape_is_refused_or_read(body: Any) -> None:
    for content in (body, event(**body) if isinstance(body, dict) else body):
        with suppress(TranslationError):
            messages(by_name("iata-one-record"), Document(json.dumps(content).encode()), ORIGIN)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 3000), st.binary(max_size=6), st.integers(0, 40))
def test_whatever_is_broken_is_refused_and_never_breaks(at: int, put: bytes, cut: int) -> None:
    seed = json.dumps({"@context": CONTEXT, "@graph": [event(), CONSIGNMENT, WAYBILL]}).encode()
    document = Document(seed[: at % len(seed)] + put + seed[at % len(seed) + cut :])
    assert 0 <= by_name("iata-one-record").recognise(document) <= 1
    with suppress(TranslationError):
        messages(by_name("iata-one-record"), document, ORIGIN)
