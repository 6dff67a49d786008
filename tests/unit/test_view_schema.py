"""The schemas of views: whatever is withheld, what is left is read, keeps its types and is as published."""

import json
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from broker.views import TokenKey, pointer_pattern, redact
from schemas import AlertMessage, ShipmentMessage
from schemas.alert import Alert
from schemas.envelope import family_of
from schemas.errors import InvalidMessage
from schemas.export import documents
from schemas.shipment import Shipment
from schemas.view import View, closed_words, knows, loosened, read
from tests.harness import alert, as_bytes, shipment
from tests.unit.strategies import events
from tests.unit.test_leaks import Case, cases

TOKENS = TokenKey(b"secret", "a kr.border")
SCHEMAS = {family: Draft202012Validator(documents()[f"{family}-1-view"]) for family in ("shipment", "alert")}


def pointers(value: Any, path: str = "") -> list[str]:
    """Every place in a body, itself aside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [one for name, below in inner for one in (f"{path}/{name}", *pointers(below, f"{path}/{name}"))]


@given(cases() | events().map(lambda event: Case(event, [], {})), st.data())
def test_every_view_is_read_and_valid_under_the_published_schema(case: Case, data: st.DataObject) -> None:
    places = st.lists(st.sampled_from(pointers(case.event["data"], "/data")), max_size=4)
    withhold, tokens = ([pointer_pattern(pointer) for pointer in data.draw(places)] for _ in range(2))
    view = redact(as_bytes(case.event), withhold, tokens, TOKENS)
    if view is None:
        return
    message = read(view.body)
    assert message.withheld == " ".join(view.withheld) != ""
    content = json.loads(view.body)
    SCHEMAS[family_of(content["type"])].validate(content["data"])
    # What was read is what was there: types are kept, numbers are no texts.
    again = message.data.model_dump(mode="json", exclude_none=True)
    if isinstance(message, View):
        assert again == content["data"]


def test_a_message_from_which_nothing_is_withheld_is_read_as_what_it_is() -> None:
    assert isinstance(read(as_bytes(shipment())), ShipmentMessage)
    assert isinstance(read(as_bytes(alert())), AlertMessage)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"withheld": "/data"}', b'{"withheld": ', as_bytes(shipment(tlp="PINK"))]
)
def test_what_is_neither_a_message_nor_a_view_is_refused_with_its_faults(body: bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        read(body)
    assert caught.value.faults


def test_a_view_keeps_what_the_body_does_not_know_out() -> None:
    content = shipment(withheld="/data/occurred")
    del content["data"]["occurred"]
    content["data"]["unheard"] = 1
    with pytest.raises(InvalidMessage) as caught:
        read(as_bytes(content))
    assert [fault.pointer for fault in caught.value.faults] == ["/unheard"]


@pytest.mark.parametrize("model", [Shipment, Alert])
def test_nothing_is_required_and_nothing_is_null(model: Any) -> None:
    loose = loosened(model)
    assert loose.model_validate({}).model_dump(exclude_none=True) == {}
    for name in loose.model_fields:
        with pytest.raises(ValidationError):
            loose.model_validate({name: None})


def test_numbers_stay_numbers_and_tokens_may_stand_for_them() -> None:
    loose = loosened(Shipment)
    for item, automatic in ((1, True), ("PSN-A", "PSN-B")):
        content = {"goods": [{"item": item, "gross_mass_kg": 1.5}], "decision": {"automatic": automatic}}
        read_ = loose.model_validate(content).model_dump(exclude_none=True)
        assert read_ == content
        assert type(read_["goods"][0]["item"]) is type(item)


@pytest.mark.parametrize(
    ("pointer", "known"),
    [
        ("/goods/*/value", True),
        ("/goods/0/value/amount", True),
        ("/goods/*/*", True),
        ("/*", True),
        ("/goods/value", False),
        ("/goods/*/price", False),
        ("/occurred/day", False),
        ("/parties/*/name/*", False),
    ],
)
def test_a_pointer_is_known_where_it_can_mean_a_field(pointer: str, known: bool) -> None:
    assert knows(Shipment, pointer_pattern(pointer)) is known


def test_words_of_closed_lists_are_those_that_the_models_enumerate() -> None:
    assert closed_words(Shipment) == {("identifiers", "*", "scheme"), ("classifier",)}
    found = {path[0] for path in closed_words(Alert)}
    wanted = {"status", "msg_type", "scope", "category", "urgency", "severity", "certainty", "about"}
    assert found == wanted
    assert typing.get_origin(Alert.model_fields["status"].annotation) is typing.Literal
