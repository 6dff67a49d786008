"""Views: what is withheld is gone, wherever it stood; what is not stays."""

import json
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from broker.views import MARK, Redacted, Redaction, TokenKey, pointer_pattern, redact
from schemas import ShipmentMessage
from schemas.view import View, read
from tests.harness import as_bytes, shipment

TOKENS = TokenKey(b"secret", "agreement kr.quarantine")


def event(**data: Any) -> dict[str, Any]:
    content = shipment(id="fixed")
    content["data"] |= data
    return content


@dataclass
class Read:
    """A view as its recipient reads it."""

    body: bytes
    event: dict[str, Any]
    withheld: tuple[str, ...]

    @classmethod
    def of(cls, view: Redacted | None) -> "Read":
        assert view is not None
        read = cls(view.body, json.loads(view.body), view.withheld)
        assert (view.id, view.correlation_id) == (read.event["id"], read.event.get("correlationid"))
        return read


def made(content: dict[str, Any], *withhold: str, tokens: tuple[str, ...] = ()) -> Read:
    found = redact(
        as_bytes(content), [pointer_pattern(p) for p in withhold], [pointer_pattern(p) for p in tokens], TOKENS
    )
    return Read.of(found)


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
    assert Read.of(other).event["data"]["parties"][0]["name"] != first[0]["name"]
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
    assert b"null" not in view.body


def test_elements_of_lists_within_lists_can_be_withheld_each() -> None:
    equipment = [{"number": "E1", "seals": ["SEAL-A", "SEAL-B"]}, {"number": "E2", "seals": ["SEAL-C"]}]
    assert made(event(equipment=equipment), "/data/equipment/*/seals/0").event["data"]["equipment"] == [
        {"number": "E1", "seals": ["SEAL-B"]},
        {"number": "E2"},
    ]
    everything = made(event(equipment=equipment), "/data/equipment/*/*")
    assert "equipment" not in everything.event["data"]
    assert everything.withheld == tuple(f"/data/equipment/{n}/{f}" for n in (0, 1) for f in ("number", "seals"))


def test_what_lists_are_empty_in_the_original_stay_so() -> None:
    view = made(event(goods=[], equipment=[{"number": "E1", "seals": []}]), "/data/place")
    assert (view.event["data"]["goods"], view.event["data"]["equipment"][0]["seals"]) == ([], [])
    assert view.withheld == ("/data/place",)


@pytest.mark.parametrize(
    ("withhold", "tokens", "listed"),
    [
        (("/data/goods", "/data/goods/*/value"), (), ("/data/goods",)),
        (("/data/goods/*", "/data/goods/0"), ("/data/goods/*/hs",), tuple(f"/data/goods/{n}" for n in range(3))),
        (("/data/goods/0",), ("/data/goods/*/hs",), ("/data/goods/0", "/data/goods/1/hs", "/data/goods/2/hs")),
        ((), ("/data/goods/*", "/data/goods/*/hs"), tuple(f"/data/goods/{n}" for n in range(3))),
    ],
)
def test_of_pointers_one_below_the_other_the_outer_counts_and_withholding_beats_tokens(
    withhold: tuple[str, ...], tokens: tuple[str, ...], listed: tuple[str, ...]
) -> None:
    view = made(event(goods=GOODS), *withhold, tokens=tokens)
    assert view.withheld == listed
    assert GOODS[0]["hs"] not in view.body.decode()


def test_what_is_withheld_within_what_gets_tokens_gets_none() -> None:
    view = made(event(goods=GOODS), "/data/goods/*/hs", tokens=("/data/goods/*",))
    assert not [goods for goods in view.event["data"]["goods"] if "hs" in goods]


def test_a_field_and_its_repetition_get_the_same_token_and_case_and_blanks_make_no_difference() -> None:
    content = event(identifiers=[{"scheme": "ucr", "value": "6kr 123 45678"}])
    content["subject"] = "6KR12345678"
    view = made(content, tokens=("/data/identifiers/*/value",))
    assert view.event["subject"] == view.event["data"]["identifiers"][0]["value"] == TOKENS("6KR12345678")


def test_two_messages_never_get_one_id() -> None:
    ids = set()
    for id_ in ("6KR-1234-1", "6KR-12341", "6kr-12341", "6KR 12341"):
        content = event(identifiers=[{"scheme": "other", "value": "6KR1234"}]) | {"id": id_}
        ids.add(made(content, "/data/identifiers").event["id"])
    assert len(ids) == 4
    assert all(id_.startswith("PSN-") for id_ in ids)


def test_attributes_of_a_fixed_form_go_where_they_repeat_what_is_withheld() -> None:
    moment = "2026-06-01T12:00:00Z"
    content = event(occurred=moment, goods=[{"packages": 8642}], documents=[{"id": "quokka"}])
    content |= {"time": "2026-06-01T21:00:00+09:00", "expires": moment, "sequence": 8642, "count": 18642}
    content |= {"traceparent": f"00-{'8642'.rjust(32, 'a')}-{'b' * 16}-01", "quokka": "yes", "other": "kept"}
    content |= {"recipients": "kr.quarantine kr.quokka"}
    view = made(content, "/data/occurred", "/data/goods", "/data/documents")
    assert not {"time", "expires", "sequence", "count", "traceparent", "quokka"} & view.event.keys()
    assert (view.event["other"], view.event["recipients"]) == ("kept", "kr.quarantine")
    assert "quokka" not in view.event["withheld"]
    message = read(view.body)
    assert isinstance(message, View)
    assert message.time is None


def test_words_of_closed_lists_are_left_where_no_pointer_names_them() -> None:
    content = event(
        identifiers=[{"scheme": "container", "value": "CSQU3054383"}],
        goods=[{"description": "container"}],
        decision={"outcome": "container", "reason": "see container"},
    )
    view = made(content, "/data/goods/*/description")
    assert view.event["data"]["identifiers"][0]["scheme"] == "container"
    assert view.event["data"]["decision"] == {"outcome": TOKENS("CONTAINER"), "reason": f"see {MARK}"}
    assert (view.event["type"], view.event["source"]) == (content["type"], content["source"])
    assert "scheme" not in made(content, "/data/identifiers/*/scheme").event["data"]["identifiers"][0]


def test_numbers_too_large_for_other_parsers_are_kept_digit_by_digit() -> None:
    content = event(goods=[{"item": 1, "hs": "060290"}]) | {"large": 12345678901234567890123456789}
    assert json.loads(made(content, "/data/goods/*/hs").body)["large"] == 12345678901234567890123456789


def test_a_value_written_with_escapes_is_the_same_value() -> None:
    body = as_bytes(event(parties=[{"role": "importer", "name": "quokka"}]) | {"subject": "AB-#"})
    escaped = body.replace(b"AB-#", b"".join(rb"\u%04x" % ord(c) for c in "QUOKKA"))
    assert json.loads(escaped)["subject"] == "QUOKKA"
    view = redact(escaped, [pointer_pattern("/data/parties/*/name")], [], TOKENS)
    assert Read.of(view).event["subject"].startswith("PSN-")


def test_tokens_of_one_redaction_do_not_mix() -> None:
    content = event(parties=[{"role": "importer", "name": "quokka"}]) | {"subject": "quokka"}
    redaction = Redaction.of(as_bytes(content), [], [pointer_pattern("/data/parties/*/name")])
    assert redaction is not None
    keys = [TokenKey(b"secret", scope) for scope in ("a kr.quarantine", "a kr.border")]
    views = [Read.of(redaction.view(key)) for key in keys]
    for key, view in zip(keys, views, strict=True):
        assert view.event["subject"] == view.event["data"]["parties"][0]["name"] == key("QUOKKA")


def test_a_token_is_not_made_from_the_value_alone() -> None:
    assert TokenKey(b"", "a kr.border")("QUOKKA") != TOKENS("QUOKKA")
    assert len({TokenKey(secret, scope)("V") for secret in (b"1", b"2") for scope in ("a x", "a y", "b x")}) == 6
    assert len(TOKENS("V")) == 28
