"""Views: what is withheld is gone, wherever it stood; what is not stays."""

import json
from typing import Any

import orjson

from broker.views import MARK, Redacted, TokenKey, pointer_pattern, redact
from schemas import ShipmentMessage
from schemas.view import View, read
from tests.harness import as_bytes, shipment

TOKENS = TokenKey(b"secret", "agreement kr.quarantine")


def event(**data: Any) -> dict[str, Any]:
    content = shipment(id="fixed")
    content["data"] |= data
    return content


def made(content: dict[str, Any], *withhold: str, tokens: tuple[str, ...] = ()) -> Redacted:
    found = redact(
        as_bytes(content), [pointer_pattern(p) for p in withhold], [pointer_pattern(p) for p in tokens], TOKENS
    )
    assert found is not None
    return found


GOODS = [
    {"item": 1, "hs": "060290", "value": {"amount": 1250.5, "currency": "USD"}},
    {"item": 2, "hs": "060210"},
    {"item": 3, "hs": "060220", "value": {"amount": 99999, "currency": "USD"}},
]


def test_a_message_without_the_fields_keeps_its_bytes() -> None:
    assert redact(as_bytes(event()), [pointer_pattern("/data/goods/*/value")], [], TOKENS) is None


def test_a_star_means_every_element_and_the_others_keep_their_places() -> None:
    view = made(event(goods=GOODS), "/data/goods/*/value")
    assert [goods["item"] for goods in view.event["data"]["goods"]] == [1, 2, 3]
    assert all("value" not in goods for goods in view.event["data"]["goods"])
    assert view.withheld == ("/data/goods/0/value", "/data/goods/2/value")
    assert view.event["withheld"] == "/data/goods/0/value /data/goods/2/value"


def test_a_whole_object_or_list_can_be_withheld() -> None:
    view = made(event(goods=GOODS), "/data/goods")
    assert "goods" not in view.event["data"]
    assert "place" not in made(event(), "/data/place").event["data"]


def test_the_same_value_elsewhere_goes_too_whatever_its_case_and_blanks() -> None:
    content = event(
        parties=[{"role": "consignee", "name": "ACME Plants Ltd"}],
        goods=[{"description": "roses of acme  PLANTS ltd, boxed"}],
    )
    content |= {"subject": "ACMEPLANTSLTD-7", "correlationid": "acme plants ltd", "note": "for ACME Plants Ltd"}
    content["data"]["goods"][0]["description"] = "roses of acme PLANTS ltd, boxed"
    view = made(content, "/data/parties/*/name")
    text = orjson.dumps(view.event).decode().lower()
    assert "acme" not in text
    assert view.event["data"]["goods"][0]["description"] == f"roses of {MARK}, boxed"
    assert view.event["subject"].startswith("PSN-")
    assert {"/subject", "/correlationid", "/note", "/data/goods/0/description"} <= set(view.withheld)


def test_a_number_is_hunted_down_as_well() -> None:
    content = event(goods=[{"value": {"amount": 98765.25, "currency": "USD"}, "description": "worth 98765.25 USD"}])
    assert "98765.25" not in made(content, "/data/goods/*/value").body.decode()


def test_short_words_of_code_lists_are_removed_where_named_and_nowhere_else() -> None:
    content = event(parties=[{"role": "consignee", "country": "KR"}])
    view = made(content, "/data/parties/*/country")
    assert view.event["data"]["parties"] == [{"role": "consignee"}]
    assert view.event["data"]["place"]["country"] == "KR"


def test_the_fingerprint_of_the_document_goes_with_anything_withheld() -> None:
    content = event(goods=GOODS, native={"format": "wco-dec", "sha256": "0" * 64, "size": 10})
    view = made(content, "/data/goods/*/value")
    assert "native" not in view.event["data"]
    assert "/data/native" in view.withheld


def test_a_token_joins_for_one_recipient_and_differs_for_another() -> None:
    content = event(parties=[{"role": "consignee", "name": "ACME Plants"}, {"role": "importer", "name": "ACME Plants"}])
    first = made(content, tokens=("/data/parties/*/name",)).event["data"]["parties"]
    again = made(event(**content["data"]), tokens=("/data/parties/*/name",)).event["data"]["parties"]
    assert first[0]["name"] == first[1]["name"] == again[0]["name"]
    other = redact(
        as_bytes(content), [], [pointer_pattern("/data/parties/*/name")], TokenKey(b"secret", "agreement kr.border")
    )
    assert other is not None
    assert other.event["data"]["parties"][0]["name"] != first[0]["name"]
    assert TokenKey(b"guessed", "agreement kr.quarantine")("ACME Plants") != first[0]["name"]


def test_a_view_that_lacks_nothing_required_is_a_message_like_any_other() -> None:
    message = read(made(event(goods=GOODS), "/data/goods/*/value").body)
    assert isinstance(message, ShipmentMessage)
    assert message.withheld == "/data/goods/0/value /data/goods/2/value"


def test_a_view_without_a_required_field_is_read_as_a_view() -> None:
    message = read(made(event(goods=GOODS), "/data/identifiers/*/value", "/data/occurred").body)
    assert isinstance(message, View)
    assert message.data.goods[0].hs == "060290"
    assert message.data.occurred is None


def test_what_is_left_is_valid_json_without_null() -> None:
    view = made(event(goods=GOODS), "/data/goods/*/value", "/data/identifiers/*/value")
    assert json.loads(view.body) == view.event
    assert b"null" not in view.body
