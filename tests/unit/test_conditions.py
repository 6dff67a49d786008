"""`where`: what each condition means, with what a message does not say being no match."""

from typing import Any

import pytest

from broker.conditions import SCHEMES, Truth, Where, any_of, senseless
from schemas import Message, parse
from tests.harness import alert, as_bytes, shipment

BOTH = frozenset({"shipment", "alert"})


def held(where: dict[str, Any], message: Message) -> str:
    """Whether the conditions hold: `yes`, or the words of the first that does not."""
    compiled = Where.model_validate(where).compile()
    why = compiled.why_not(message)
    assert compiled.hold(message) == (why is None)
    return "yes" if why is None else why


def goods(*items: dict[str, Any]) -> Message:
    content = shipment()
    content["data"]["goods"] = list(items)
    return parse(as_bytes(content))


def at(**place: str) -> Message:
    content = shipment()
    content["data"]["place"] = place
    return parse(as_bytes(content))


def warning(**data: Any) -> Message:
    content = alert()
    content["data"] |= data
    return parse(as_bytes(content))


NO, SILENT = "does not hold", "cannot be told"


@pytest.mark.parametrize(
    ("codes", "prefixes", "expected"),
    [
        (["060290"], ["06"], "yes"),
        (["060290", "84"], ["06"], "yes"),
        (["840100"], ["06"], NO),
        (["06"], ["0602"], SILENT),
        (["0602901000"], ["060290"], "yes"),
        ([None], ["06"], SILENT),
        ([None, "84"], ["06"], SILENT),
        ([], ["06"], SILENT),
    ],
)
def test_a_tariff_heading_holds_for_any_item_and_is_unknown_where_it_is_shorter_or_missing(
    codes: list[str | None], prefixes: list[str], expected: str
) -> None:
    items = [{"item": 1} | ({"hs": code} if code else {}) for code in codes]
    assert expected in held({"hs": prefixes}, goods(*items))


@pytest.mark.parametrize(
    ("place", "pattern", "expected"),
    [
        ({"country": "KR"}, "KR", "yes"),
        ({"locode": "KRPUS"}, "KR", "yes"),
        ({"locode": "KRPUS"}, "KR*", "yes"),
        ({"locode": "KRPUS"}, "KRPUS", "yes"),
        ({"locode": "KRINC"}, "KRPUS", NO),
        ({"locode": "KRPUS"}, "*PUS", "yes"),
        ({"country": "KR"}, "KR*", "yes"),
        ({"country": "TH"}, "KR*", NO),
        ({"country": "KR"}, "KRPUS", SILENT),
        ({"country": "TH"}, "KRPUS", NO),
        ({"country": "KR"}, "*PUS", SILENT),
        ({"name": "Busan"}, "KR", SILENT),
    ],
)
def test_a_place_is_a_country_a_locode_or_a_pattern(place: dict[str, str], pattern: str, expected: str) -> None:
    assert expected in held({"place": [pattern]}, at(**place))


def test_origin_and_mode_hold_for_what_the_message_says() -> None:
    assert held({"origin": ["TH", "VN"]}, goods({"origin": "VN"})) == "yes"
    assert NO in held({"origin": ["TH"]}, goods({"origin": "VN"}))
    assert SILENT in held({"origin": ["TH"]}, goods({"item": 1}))
    content = shipment()
    content["data"]["transport"] = {"mode": "1"}
    assert held({"mode": ["1"]}, parse(as_bytes(content))) == "yes"
    assert NO in held({"mode": ["4"]}, parse(as_bytes(content)))
    assert SILENT in held({"mode": ["1"]}, goods({"item": 1}))


def test_identifiers_are_known_by_scheme_and_form() -> None:
    message = parse(as_bytes(shipment()))
    assert held({"identifiers": ["ucr"]}, message) == "yes"
    assert held({"identifiers": ["container", "ucr:6KR*"]}, message) == "yes"
    assert NO in held({"identifiers": ["ucr:6TH*"]}, message)
    assert SILENT in held({"identifiers": ["container"]}, warning())
    assert (
        held({"identifiers": ["container"]}, warning(about=[{"scheme": "container", "value": "CSQU3054383"}])) == "yes"
    )


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("6KR*", "6KR1", True),
        ("*678", "6KR12345678", True),
        ("6*12*78", "6KR12345678", True),
        ("6KR*R*", "6KR1", False),
        ("6KR1*1", "6KR1", False),
        ("6KR", "6KR1", False),
        ("6.R1", "6KR1", False),
        ("*", "6KR1", True),
    ],
)
def test_a_star_in_a_form_is_any_number_of_characters(pattern: str, value: str, expected: bool) -> None:
    content = shipment()
    content["data"]["identifiers"] = [{"scheme": "ucr", "value": value}]
    assert (held({"identifiers": [f"ucr:{pattern}"]}, parse(as_bytes(content))) == "yes") == expected


def test_no_form_however_many_its_stars_takes_long() -> None:
    content = shipment()
    content["data"]["identifiers"] = [{"scheme": "ucr", "value": "A" * 70}]
    assert NO in held({"identifiers": ["ucr:" + "*A" * 60 + "*B"]}, parse(as_bytes(content)))


def test_grades_hold_upwards_and_unknown_is_none() -> None:
    assert held({"min_severity": "Moderate"}, warning(severity="Severe")) == "yes"
    assert NO in held({"min_severity": "Extreme"}, warning(severity="Severe"))
    assert SILENT in held({"min_severity": "Minor"}, warning(severity="Unknown"))
    assert held({"min_certainty": "Likely"}, warning(certainty="Observed")) == "yes"
    assert NO in held({"min_certainty": "Likely"}, warning(certainty="Possible"))
    assert SILENT in held({"min_severity": "Minor"}, parse(as_bytes(shipment())))


def test_what_an_alert_looks_for_stands_for_goods() -> None:
    looking = warning(profile={"hs": ["0602"], "origin": "TH"})
    assert held({"hs": ["06"], "origin": ["TH"]}, looking) == "yes"
    assert NO in held({"hs": ["07"]}, looking)


def test_all_conditions_must_hold_and_the_failing_one_is_named() -> None:
    message = goods({"hs": "060290", "origin": "VN"})
    assert held({"hs": ["06"], "origin": ["TH"]}, message) == "where.origin does not hold"


def test_yes_beats_unknown_beats_no() -> None:
    assert any_of([Truth.NO, Truth.UNKNOWN, Truth.YES]) is Truth.YES
    assert any_of([Truth.NO, Truth.UNKNOWN]) is Truth.UNKNOWN
    assert any_of([Truth.NO]) is Truth.NO
    assert any_of([]) is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("where", "families", "code", "pointer"),
    [
        ({}, BOTH, "always-holds", ""),
        ({"hs": []}, BOTH, "never-holds", "hs"),
        ({"mode": ["1"]}, {"alert"}, "never-holds", "mode"),
        ({"mode": ["1"], "min_severity": "Minor"}, BOTH, "never-holds", "mode"),
        ({"mode": ["1"], "min_certainty": "Likely"}, BOTH, "never-holds", "mode"),
        ({"min_severity": "Severe"}, {"shipment"}, "never-holds", "min_severity"),
        ({"min_certainty": "Likely"}, {"shipment"}, "never-holds", "min_certainty"),
        ({"place": ["*"]}, BOTH, "always-holds", "place"),
        ({"place": ["ZQ*"]}, BOTH, "never-holds", "place"),
        ({"place": ["KRP"]}, BOTH, "never-holds", "place"),
        ({"origin": ["ZQ"]}, BOTH, "never-holds", "origin"),
        ({"hs": ["0012"]}, BOTH, "never-holds", "hs"),
        ({"identifiers": ["vin"]}, BOTH, "never-holds", "identifiers"),
        ({"identifiers": ["ucr:6kr*"]}, BOTH, "never-holds", "identifiers"),
        ({"identifiers": [*SCHEMES[:-1], f"{SCHEMES[-1]}:*"]}, BOTH, "always-holds", "identifiers"),
    ],
)
def test_a_condition_that_never_or_always_holds_is_a_fault(
    where: dict[str, Any], families: frozenset[str], code: str, pointer: str
) -> None:
    found = senseless(Where.model_validate(where), frozenset(families))
    assert (code, pointer) in [(fault.code, fault.pointer) for fault in found]


def test_sensible_conditions_have_no_fault() -> None:
    where = {"hs": ["06"], "place": ["KR*", "TH", "*PUS"], "origin": ["TH"], "identifiers": ["ucr:6KR*"]}
    assert senseless(Where.model_validate(where), BOTH) == []
    assert senseless(Where.model_validate({"identifiers": SCHEMES}), frozenset({"alert"})) == []
