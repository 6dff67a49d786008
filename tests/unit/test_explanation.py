"""What agreements do, in rows: who would get a message and why, who may see what of whom, what a change does."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given

from broker import explanation
from broker.agreements import Agreements
from broker.keys import SigningKey
from broker.settings import Agreement, Settings
from schemas import parse
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, alert, as_bytes, shipment
from tests.unit.strategies import NOW
from tests.unit.test_leaks import Case, applying, cases, hidden_from

TODAY = NOW.date()


def terms(**changed: Any) -> dict[str, Any]:
    """An agreement, as a table of the configuration."""
    content = {"id": "a", "from": [CUSTOMS], "to": [QUARANTINE], "types": ["shipment.*"]}
    return content | {"purpose": "health control", "legal_basis": "Act 1"} | changed


def network(*agreements: dict[str, Any]) -> Settings:
    return Settings.model_validate({"agency": NETWORK["agency"], "agreement": list(agreements)})


def rows_for(content: dict[str, Any], *agreements: dict[str, Any]) -> dict[str, dict[str, Any]]:
    configured = network(*agreements)
    body = as_bytes(content)
    rows = explanation.recipients(configured, Agreements.of(configured), parse(body), body, TODAY)
    return {row["agency"]: row for row in rows}


@given(cases())
def test_an_explanation_says_of_every_other_agency_what_the_decision_would_do(case: Case) -> None:
    configured = Settings.model_validate(NETWORK).model_copy(update={"agreement": tuple(case.agreements)})
    body = as_bytes(case.event)
    rows = explanation.recipients(configured, Agreements.of(configured), parse(body), body, TODAY)
    assert [row["agency"] for row in rows] == [QUARANTINE, BORDER]
    for row in rows:
        allowed = applying(case, row["agency"])
        assert row["receives"] == bool(allowed)
        assert row["why"] or (allowed and not any(one.withhold or one.pseudonymise for one in allowed))
        if allowed:
            assert row["agreement"] == [one.id for one in allowed]
            assert bool(row["withheld"]) >= bool(hidden_from(case, allowed))


def test_who_receives_is_told_with_purpose_basis_and_what_is_kept_from_it() -> None:
    content = shipment()
    content["data"]["goods"] = [{"item": 1, "value": {"amount": 98765.5, "currency": "KRW"}}]
    row = rows_for(content, terms(withhold=["/data/goods/*/value"]))[QUARANTINE]
    assert row == {
        "agency": QUARANTINE,
        "receives": True,
        "agreement": ["a"],
        "purpose": ["health control"],
        "legal_basis": ["Act 1"],
        "withheld": ["/data/goods/0/value"],
        "why": ["a withholds /data/goods/*/value"],
    }


@pytest.mark.parametrize(
    ("attributes", "changed", "reason"),
    [
        ({}, {"types": ["alert.*"]}, "no agreement lets it see shipment.held of kr.customs"),
        ({"recipients": BORDER}, {}, "not among the recipients that the message names"),
        ({"tlp": "RED", "recipients": QUARANTINE}, {}, "a: nothing more sensitive than TLP:AMBER+STRICT"),
        ({}, {"valid_from": date(2030, 1, 1)}, "a: in force from 2030-01-01 only"),
        ({}, {"valid_until": date(2020, 1, 1)}, "a: ended on 2020-01-01"),
        ({}, {"where": {"hs": ["06"]}}, "a: where.hs cannot be told from the message"),
        ({}, {"where": {"place": ["TH"]}}, "a: where.place does not hold"),
    ],
)
def test_who_does_not_receive_is_told_the_reason(
    attributes: dict[str, str], changed: dict[str, Any], reason: str
) -> None:
    row = rows_for(shipment(**attributes), terms(**changed))[QUARANTINE]
    assert row["receives"] is False
    assert any(reason in why for why in row["why"]), row["why"]


def test_every_reason_is_told_at_once() -> None:
    agreements = [terms(where={"hs": ["06"]}), terms(id="b", valid_until=date(2020, 1, 1))]
    row = rows_for(shipment(recipients=BORDER), *agreements)[QUARANTINE]
    assert len(row["why"]) == 3


def test_the_matrix_has_a_row_for_each_sender_recipient_and_agreement() -> None:
    agreements = [terms(), terms(id="b", to=[QUARANTINE, BORDER], types=["*"], withhold=["/data/place"])]
    configured = network(*agreements)
    rows = explanation.matrix(configured, Agreements.of(configured))
    assert [(row["from"], row["to"], row["agreement"], row["types"]) for row in rows] == [
        (CUSTOMS, BORDER, "b", ["alert.*", "shipment.*"]),
        (CUSTOMS, QUARANTINE, "a", ["shipment.*"]),
        (CUSTOMS, QUARANTINE, "b", ["alert.*", "shipment.*"]),
    ]
    assert rows[0]["withhold"] == ["/data/place"]


def test_the_matrix_tells_people_all_that_an_agreement_says() -> None:
    said = terms(
        withhold=["/data/place"],
        pseudonymise=["/data/parties/*/name"],
        where={"hs": ["06", "07"], "place": ["KR*"]},
        max_tlp="AMBER",
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
    )
    configured = network(said)
    (row,) = explanation.matrix(configured, Agreements.of(configured))
    assert explanation.told(row) == {
        "from": CUSTOMS,
        "to": QUARANTINE,
        "sees": ["shipment.*", "where hs: 06, 07", "where place: KR*"],
        "kept_back": ["/data/place", "token for /data/parties/*/name"],
        "under": ["a", "health control", "Act 1", "up to TLP:AMBER", "from 2026-01-01", "until 2026-12-31"],
    }


def test_the_matrix_has_no_type_that_its_sender_may_not_publish() -> None:
    configured = network(terms(**{"from": [BORDER], "types": ["*"]}))
    (row,) = explanation.matrix(configured, Agreements.of(configured))
    assert row["types"] == ["alert.*"]


@pytest.mark.parametrize(
    ("types", "short"),
    [
        (["shipment.held", "shipment.arrived"], ["shipment.arrived", "shipment.held"]),
        (["alert.issued", "alert.updated", "alert.cancelled", "alert.acknowledged"], ["alert.*"]),
        ([], []),
    ],
)
def test_sets_of_types_are_written_short(types: list[str], short: list[str]) -> None:
    assert explanation.families(types) == short


def warned(*agreements: dict[str, Any]) -> list[str]:
    configured = network(*agreements)
    return explanation.warnings(configured, Agreements.of(configured), TODAY)


def test_agencies_that_hear_nothing_are_warned_of() -> None:
    assert warned(terms()) == [f"{id_} hears nothing: no agreement names it" for id_ in (CUSTOMS, BORDER)]


@pytest.mark.parametrize(
    ("days", "warning"),
    [(-1, "agreement a ended on"), (0, "within 60 days"), (60, "within 60 days"), (61, None)],
)
def test_an_agreement_that_ends_soon_or_has_ended_is_warned_of(days: int, warning: str | None) -> None:
    found = [w for w in warned(terms(valid_until=TODAY + timedelta(days=days))) if "hears" not in w]
    assert [warning in one for one in found if warning] == ([True] if warning else [])
    assert bool(found) == bool(warning)


@pytest.mark.parametrize(
    ("days", "warning"),
    [([-1], "its last key ended on"), ([60], "within 60 days"), ([61], None), ([-1, 61], None), ([5, None], None)],
)
def test_an_agency_whose_last_key_ends_soon_or_has_ended_is_warned_of(
    days: list[int | None], warning: str | None
) -> None:
    keys = [
        {"id": str(n), "public": SigningKey("k", bytes([n] * 32)).public}
        | ({} if after is None else {"valid_until": TODAY + timedelta(days=after)})
        for n, after in enumerate(days)
    ]
    agencies = [NETWORK["agency"][0] | {"key": keys}, *NETWORK["agency"][1:]]
    configured = Settings.model_validate({"agency": agencies, "agreement": [terms()]})
    found = [w for w in explanation.warnings(configured, Agreements.of(configured), TODAY) if "key" in w]
    assert [warning in one for one in found if warning] == ([True] if warning else [])
    assert bool(found) == bool(warning)


def test_an_agreement_about_what_its_agencies_never_publish_is_warned_of() -> None:
    found = warned(terms(**{"from": [BORDER]}))
    assert "agreement a matches nothing that its agencies may publish" in found


def test_where_two_agreements_overlap_and_differ_is_said() -> None:
    found = [w for w in warned(terms(), terms(id="b", withhold=["/data/place"], max_tlp="GREEN")) if " both " in w]
    assert found == [
        "a and b both let kr.quarantine see shipment.* of kr.customs and differ in max_tlp, withhold: "
        "where both hold, the stricter counts"
    ]
    assert not [w for w in warned(terms(), terms(id="b")) if " both " in w]


def changes(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    rows = explanation.differences(network(*old), network(*new))
    return [(row["to"], row["change"], row["details"]) for row in rows]


@pytest.mark.parametrize(
    ("old", "new", "change", "detail"),
    [
        (None, {}, "widens", "newly under a"),
        ({}, None, "narrows", "no longer under a"),
        ({}, {"withhold": ["/data/place"]}, "narrows", "/data/place is withheld"),
        ({"withhold": ["/data/place"]}, {}, "widens", "/data/place is no longer withheld"),
        ({}, {"pseudonymise": ["/data/place"]}, "narrows", "/data/place is given as a token"),
        ({}, {"max_tlp": "RED"}, "widens", "up to TLP:RED instead of TLP:AMBER+STRICT"),
        ({}, {"max_tlp": "GREEN"}, "narrows", "up to TLP:GREEN instead of TLP:AMBER+STRICT"),
        ({}, {"where": {"hs": ["06"]}}, "narrows", "where hs 06 instead of without conditions"),
        ({"where": {"hs": ["06"]}}, {}, "widens", "without conditions instead of where hs 06"),
        ({"where": {"hs": ["06"]}}, {"where": {"hs": ["07"]}}, "changes", "where hs 07 instead of where hs 06"),
        ({}, {"valid_until": date(2027, 1, 1)}, "narrows", "until 2027-01-01 instead of without an end"),
        (
            {"valid_from": date(2026, 2, 1)},
            {"valid_from": date(2026, 1, 1)},
            "widens",
            "from 2026-01-01 instead of from 2026-02-01",
        ),
    ],
)
def test_a_change_is_told_by_what_it_does_to_whose_view(
    old: dict[str, Any] | None, new: dict[str, Any] | None, change: str, detail: str
) -> None:
    before, after = ([] if one is None else [terms(**one)] for one in (old, new))
    assert changes(before, after) == [(QUARANTINE, change, [detail])]
    assert changes(after, after) == []


def test_a_change_that_widens_and_narrows_says_both() -> None:
    found = changes([terms(withhold=["/data/place"])], [terms(withhold=["/data/goods"])])
    assert found == [(QUARANTINE, "changes", ["/data/place is no longer withheld", "/data/goods is withheld"])]


def test_a_second_wider_agreement_changes_nothing_and_a_stricter_one_narrows() -> None:
    strict = terms(withhold=["/data/place"])
    assert changes([strict], [strict, terms(id="wide")]) == []
    assert changes([terms()], [terms(), strict | {"id": "b"}]) == [
        (QUARANTINE, "narrows", ["/data/place is withheld"]),
    ]


def test_another_condition_beside_one_without_changes_what_is_kept_back_only() -> None:
    strict = terms(id="b", withhold=["/data/place"], where={"hs": ["06"]})
    both = "without conditions or where hs {}"
    assert changes([terms(), strict], [terms(), strict | {"where": {"hs": ["07"]}}]) == [
        (
            QUARANTINE,
            "changes",
            ["the same is kept back, of other messages: " + both.format("07") + " instead of " + both.format("06")],
        )
    ]
    wide, more = terms(where={"hs": ["06"]}), terms(id="b", where={"hs": ["07"]})
    assert changes([wide], [wide, more]) == [
        (QUARANTINE, "widens", ["where hs 06 or where hs 07 instead of where hs 06"])
    ]
    assert changes([wide, more], [wide]) == [
        (QUARANTINE, "narrows", ["where hs 06 instead of where hs 06 or where hs 07"])
    ]


@pytest.mark.parametrize("content", [shipment(), alert(CUSTOMS)])
def test_a_message_that_nobody_may_see_has_a_reason_for_each(content: dict[str, Any]) -> None:
    rows = rows_for(content)
    assert all(not row["receives"] and row["why"] for row in rows.values())
    assert set(rows) == {QUARANTINE, BORDER}


def test_an_explanation_gives_its_tokens_away_to_nobody() -> None:
    configured = network(terms(pseudonymise=["/data/identifiers/*/value"]))
    body = as_bytes(shipment())
    rows = explanation.recipients(configured, Agreements.of(configured, b"secret"), parse(body), body, TODAY)
    assert "PSN-" not in str(rows)
    assert Agreement.model_validate(configured.agreement[0].model_dump(by_alias=True)) == configured.agreement[0]
