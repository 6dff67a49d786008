"""Reading a message from bytes: what is refused, where the fault is said to be, and that nothing else is raised."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import InvalidMessage, Tlp, build, parse
from schemas.envelope import MAX_BYTES, MAX_FAULTS, AlertMessage, Envelope, ReceiptMessage, ShipmentMessage
from tests.harness import alert, as_bytes, shipment
from tests.unit.strategies import broken, events, json_values

SECRET = "s3cr3t-cargo"


def faults(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidMessage) as caught:
        parse(body)
    return [(fault.code, fault.pointer) for fault in caught.value.faults]


def parse_or_faults(body: bytes) -> str:
    """Everything that the reading of a body says."""
    try:
        parse(body)
    except InvalidMessage as error:
        return f"{error} {[fault.as_json() for fault in error.faults]}"
    return ""


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"specversion":' + b"9" * 5000 + b"}")
@example(b'{"id":"\\ud800"}')
@example(as_bytes(shipment())[:-1] + b', "odd": ' + b"9" * 5000 + b"}")
@example(as_bytes(shipment())[:-1] + b', "odd": ' + b"[" * 150 + b"]" * 150 + b"}")
def test_no_bytes_make_parse_raise_anything_but_invalid_message(body: bytes) -> None:
    parse_or_faults(body)


@given(broken())
def test_no_broken_message_makes_parse_raise_anything_but_invalid_message(body: bytes) -> None:
    parse_or_faults(body)


@given(events(), st.data())
def test_faults_never_repeat_a_value_of_the_message(event: dict[str, Any], data: st.DataObject) -> None:
    secret = data.draw(st.sampled_from([SECRET, [SECRET], {"x": SECRET}, f"2026-{SECRET}"]))
    place = data.draw(st.sampled_from([event, event["data"]]))
    place[data.draw(st.sampled_from([*sorted(place), "unheard-of"]))] = secret
    assert SECRET not in parse_or_faults(as_bytes(event))


@pytest.mark.parametrize(
    "body", [SECRET.encode(), f'{{"id": "{SECRET}"'.encode(), f'{{"id": {SECRET}}}'.encode(), f'"{SECRET}"'.encode()]
)
def test_faults_never_repeat_bytes_that_are_no_json(body: bytes) -> None:
    said = parse_or_faults(body)
    assert said
    assert SECRET not in said


@given(events())
def test_every_valid_event_is_read_and_written_back_with_the_same_meaning(event: dict[str, Any]) -> None:
    message = parse(as_bytes(event))
    assert parse(message.to_bytes()) == message
    assert build(**json.loads(message.to_bytes())) == message


def test_each_family_is_read_by_its_data_schema() -> None:
    assert isinstance(parse(as_bytes(shipment())), ShipmentMessage)
    assert isinstance(parse(as_bytes(alert())), AlertMessage)
    receipt = shipment(
        type="receipt.accepted", dataschema="urn:cbm:receipt:1", data={"disposition": "accepted", "of": {"id": "1"}}
    )
    assert isinstance(parse(as_bytes(receipt)), ReceiptMessage)


OPTIONAL = sorted(name for name, field in Envelope.model_fields.items() if not field.is_required())


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_is_refused_in_every_attribute_that_may_be_absent(name: str) -> None:
    assert any(pointer == f"/{name}" for _, pointer in faults(as_bytes(shipment(**{name: None}))))


def _optional_fields(model: Any) -> list[str]:
    return sorted(name for name, field in model.model_fields.items() if not field.is_required())


@pytest.mark.parametrize("name", _optional_fields(ShipmentMessage.model_fields["data"].annotation))
def test_null_is_refused_in_every_shipment_field_that_may_be_absent(name: str) -> None:
    event = shipment()
    event["data"][name] = None
    assert any(pointer == f"/data/{name}" for _, pointer in faults(as_bytes(event)))


@pytest.mark.parametrize("name", _optional_fields(AlertMessage.model_fields["data"].annotation))
def test_null_is_refused_in_every_alert_field_that_may_be_absent(name: str) -> None:
    event = alert()
    event["data"][name] = None
    assert any(pointer == f"/data/{name}" for _, pointer in faults(as_bytes(event)))


def test_null_is_refused_deep_in_the_body() -> None:
    event = shipment()
    event["data"]["place"]["name"] = None
    assert faults(as_bytes(event)) == [("type", "/data/place/name")]


@pytest.mark.parametrize(
    "repeated",
    [
        b'{"id": "other", ',
        b'{"data": {}, ',
        b'{"tlp": "CLEAR", "tlp": "RED", "recipients": "", ',
    ],
)
def test_a_name_that_stands_twice_is_refused(repeated: bytes) -> None:
    body = as_bytes(shipment())
    assert parse(body)
    assert ("duplicate-name", "") in faults(repeated + body[1:])


def test_a_name_that_stands_twice_deep_in_the_body_is_refused() -> None:
    body = as_bytes(shipment()).replace(b'"locode": "KRPUS"', b'"locode": "KRINC", "locode": "KRPUS"')
    assert faults(body) == [("duplicate-name", "")]


def test_one_mebibyte_is_read_and_one_byte_more_is_refused() -> None:
    body = as_bytes(shipment())
    full = body + b" " * (MAX_BYTES - len(body))
    assert len(full) == 1024 * 1024
    assert parse(full)
    assert faults(full + b" ") == [("too-large", "")]


def test_all_faults_are_reported_at_once_each_at_its_place() -> None:
    event = shipment(specversion="0.3", tlp="PINK", time="yesterday", sequence=-1)
    event["data"]["place"] = {"locode": "pusan", "country": "ZZ", "planet": "Earth"}
    event["data"]["identifiers"] = []
    assert set(faults(as_bytes(event))) == {
        ("not-in-list", "/specversion"),
        ("not-in-list", "/tlp"),
        ("form", "/time"),
        ("greater-than-equal", "/sequence"),
        ("form", "/data/place/locode"),
        ("country", "/data/place/country"),
        ("unknown-field", "/data/place/planet"),
        ("too-short", "/data/identifiers"),
    }


@pytest.mark.parametrize("name", ["list", "str", "literal"])
def test_a_field_named_like_a_type_is_pointed_at_all_the_same(name: str) -> None:
    event = shipment()
    event["data"][name] = 1
    assert faults(as_bytes(event)) == [("unknown-field", f"/data/{name}")]


def test_the_alternatives_of_a_field_do_not_show_in_the_pointer() -> None:
    event = alert()
    event["data"]["category"] = ["Geo", "Nonsense"]
    assert {pointer for _, pointer in faults(as_bytes(event))} == {"/data/category", "/data/category/1"}


def test_a_message_with_very_many_faults_says_that_there_are_more() -> None:
    event = shipment()
    event["data"] |= {f"x{number}": 1 for number in range(500)}
    found = faults(as_bytes(event))
    assert len(found) == MAX_FAULTS
    assert found[-1] == ("more-faults", "")


def test_a_name_as_long_as_the_message_does_not_make_the_fault_as_long() -> None:
    event = shipment()
    event["data"]["/" * 500_000] = 1
    assert len(parse_or_faults(as_bytes(event))) < 2000


@pytest.mark.parametrize(
    ("given_time", "accepted"),
    [
        ("2026-01-02T03:04:05Z", True),
        ("2026-01-02t03:04:05z", True),
        ("2026-01-02T03:04:05.123456+09:00", True),
        ("2026-01-02T03:04:05-00:00", True),
        ("2026-01-02T03:04:05", False),
        ("2026-01-02 03:04:05Z", False),
        ("2026-01-02", False),
        ("1767323045", False),
        (1767323045, False),
        ("2026-02-30T00:00:00Z", False),
        ("2026-01-02T24:00:00Z", False),
        ("2026-01-02T03:04:60Z", False),
        ("2026-01-02T03:04:05Z\n", False),
        ("2026-01-02T03:04:05+0900", False),
    ],
)
def test_times_are_rfc_3339_with_an_offset(given_time: Any, accepted: bool) -> None:
    body = as_bytes(shipment(time=given_time))
    if accepted:
        assert parse(body).time.utcoffset() is not None
    else:
        assert [pointer for _, pointer in faults(body)] == ["/time"]


def test_unknown_attributes_are_kept() -> None:
    message = parse(as_bytes(shipment(partitionkey="7", urgent=True)))
    assert json.loads(message.to_bytes())["partitionkey"] == "7"
    assert json.loads(message.to_bytes())["urgent"] is True


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Upper", "x", "attribute-name"),
        ("with-hyphen", "x", "attribute-name"),
        ("object", {"a": 1}, "attribute-value"),
        ("number", 1.5, "attribute-value"),
        ("nothing", None, "attribute-value"),
        ("data_base64", "eA==", "attribute-name"),
        ("bell", "\x07", "control-character"),
    ],
)
def test_an_attribute_that_cloudevents_does_not_allow_is_refused(name: str, value: Any, code: str) -> None:
    assert faults(as_bytes(shipment(**{name: value}))) == [(code, f"/{name}")]


@pytest.mark.parametrize("name", ["id", "subject", "correlationid", "causationid"])
@pytest.mark.parametrize("character", ["\0", "\n", "\x7f", "\x85", "\ufffe"])
def test_control_characters_are_refused_in_the_attributes_that_are_recorded(name: str, character: str) -> None:
    assert faults(as_bytes(shipment(**{name: f"a{character}b"}))) == [("control-character", f"/{name}")]


@pytest.mark.parametrize("value", ["urn:cbm:shipment:2", "", 1, None, ["urn:cbm:shipment:1"]])
def test_an_unknown_data_schema_is_refused(value: Any) -> None:
    assert ("unknown-dataschema", "/dataschema") in faults(as_bytes(shipment(dataschema=value)))


def test_the_type_belongs_to_the_data_schema() -> None:
    assert ("not-in-list", "/type") in faults(as_bytes(shipment(type="alert.issued")))
    assert ("not-in-list", "/type") in faults(as_bytes(shipment(type="receipt.accepted")))


def test_the_marking_defaults_to_amber_strict_and_white_is_read_as_clear() -> None:
    assert parse(as_bytes(shipment())).marking is Tlp.AMBER_STRICT
    assert parse(as_bytes(shipment(tlp="WHITE"))).marking is Tlp.CLEAR


def test_red_names_its_recipients_even_if_nobody() -> None:
    assert faults(as_bytes(shipment(tlp="RED"))) == [("recipients-required", "/recipients")]
    assert parse(as_bytes(shipment(tlp="RED", recipients=""))).audience == frozenset()
    assert parse(as_bytes(shipment(tlp="RED", recipients="kr.customs"))).audience == {"kr.customs"}


@pytest.mark.parametrize("recipients", ["kr", "KR.customs", "kr.customs,kr.border", "kr.customs  kr.border", " "])
def test_recipients_are_agency_ids_with_one_blank_between(recipients: str) -> None:
    assert [pointer for _, pointer in faults(as_bytes(shipment(recipients=recipients)))] == ["/recipients"]


@pytest.mark.parametrize("name", ["category", "event", "urgency", "severity", "certainty"])
def test_an_alert_that_warns_has_what_cap_asks_for_and_one_that_does_not_need_not(name: str) -> None:
    event = alert()
    del event["data"][name]
    assert faults(as_bytes(event)) == [("missing", f"/data/{name}")]
    assert parse(as_bytes(event | {"type": "alert.cancelled"}))


def test_identifiers_are_read_in_upper_case_without_blanks() -> None:
    event = shipment()
    event["data"]["identifiers"] = [{"scheme": "container", "value": "csqu 305438 3"}]
    message = parse(as_bytes(event))
    assert isinstance(message, ShipmentMessage)
    assert message.data.identifiers[0].value == "CSQU3054383"


def test_numbers_are_not_read_from_strings_nor_truths_from_numbers() -> None:
    assert faults(as_bytes(shipment(sequence="1"))) == [("type", "/sequence")]
    assert faults(as_bytes(shipment(test=1))) == [("type", "/test")]
