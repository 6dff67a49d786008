"""Who may see what of whom: default deny, markings, named recipients, days of validity."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.agreements import Agreements
from broker.settings import TYPES, Agency, Agreement
from schemas.envelope import Tlp
from tests.harness import BORDER, CUSTOMS, QUARANTINE

AGENCIES = (CUSTOMS, QUARANTINE, BORDER)
DAY = date(2026, 6, 1)
MARKINGS = list(Tlp)


def agencies(**publishes: Any) -> list[Agency]:
    return [
        Agency(id=id_, name=id_, sector="customs", publishes=publishes.get(id_.partition(".")[2], ("*",)))
        for id_ in AGENCIES
    ]


def agreement(**changed: Any) -> Agreement:
    content: dict[str, Any] = {
        "id": "a",
        "from": (CUSTOMS,),
        "to": (QUARANTINE,),
        "types": ("shipment.*",),
        "max_tlp": Tlp.RED,
        "purpose": "p",
        "legal_basis": "l",
    }
    return Agreement.model_validate(content | changed)


def reached(*agreements: Agreement, sender: str = CUSTOMS, type_: str = "shipment.held", **how: Any) -> list[str]:
    """Who receives a message under these agreements."""
    compiled = Agreements(agencies(), agreements)
    found = compiled.recipients(
        sender, type_, how.get("marking", Tlp.AMBER), how.get("audience"), how.get("today", DAY)
    )
    return sorted(found)


some_agencies = st.lists(st.sampled_from(AGENCIES), min_size=1, max_size=3, unique=True).map(tuple)
any_agreements = st.lists(
    st.builds(
        lambda number, from_, to, types, tlp, start, end: agreement(
            id=f"a{number}",
            **{"from": from_},
            to=to,
            types=types,
            max_tlp=tlp,
            valid_from=None if start is None else DAY + timedelta(days=start),
            valid_until=None if end is None else DAY + timedelta(days=end),
        ),
        st.integers(0, 9),
        some_agencies,
        some_agencies,
        st.lists(st.sampled_from(["*", "shipment.*", "alert.*", "shipment.held"]), min_size=1, max_size=2).map(tuple),
        st.sampled_from(MARKINGS),
        st.none() | st.integers(-1, 1),
        st.none() | st.integers(-1, 1),
    ),
    max_size=4,
)


@given(
    any_agreements,
    st.sampled_from(AGENCIES),
    st.sampled_from(TYPES),
    st.sampled_from(MARKINGS),
    st.none() | st.frozensets(st.sampled_from([*AGENCIES, "xx.nobody"])),
)
def test_a_recipient_always_stands_in_an_agreement_that_holds_and_everybody_who_does_receives(
    agreements: list[Agreement], sender: str, type_: str, marking: Tlp, audience: frozenset[str] | None
) -> None:
    order = [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED]
    expected = set()
    for one in agreements:
        covers = any(p in ("*", type_) or p == type_.split(".")[0] + ".*" for p in one.types)
        in_force = (one.valid_from or DAY) <= DAY <= (one.valid_until or DAY)
        marked = order.index(marking) <= order.index(one.max_tlp) and (marking is not Tlp.RED or audience is not None)
        if sender in one.from_ and covers and in_force and marked:
            expected |= {to for to in one.to if to != sender and (audience is None or to in audience)}
    found = Agreements(agencies(), agreements).recipients(sender, type_, marking, audience, DAY)
    assert set(found) == expected
    assert all(recipient in one.to and sender in one.from_ for recipient, one in found.items())


def test_without_an_agreement_nobody_receives() -> None:
    assert reached() == []
    assert reached(agreement(), sender=QUARANTINE) == []
    assert reached(agreement(), type_="alert.issued") == []


def test_naming_a_recipient_does_not_entitle_it() -> None:
    assert reached(agreement(), audience=frozenset({BORDER})) == []
    assert reached(agreement(), audience=frozenset({BORDER, QUARANTINE})) == [QUARANTINE]


def test_an_empty_audience_means_nobody() -> None:
    assert reached(agreement(to=AGENCIES), audience=frozenset()) == []


def test_red_reaches_named_recipients_only() -> None:
    assert reached(agreement(), marking=Tlp.RED) == []
    assert reached(agreement(), marking=Tlp.RED, audience=frozenset()) == []
    assert reached(agreement(), marking=Tlp.RED, audience=frozenset({QUARANTINE})) == [QUARANTINE]


@pytest.mark.parametrize("most", MARKINGS)
def test_an_agreement_carries_its_own_marking_and_less_sensitive_ones_only(most: Tlp) -> None:
    for marking in MARKINGS:
        carried = reached(agreement(max_tlp=most), marking=marking, audience=frozenset({QUARANTINE})) == [QUARANTINE]
        assert carried == (MARKINGS.index(marking) >= MARKINGS.index(most))


def test_an_agreement_that_does_not_say_carries_no_red() -> None:
    content = agreement().model_dump(by_alias=True, exclude={"max_tlp"})
    silent = Agreement.model_validate(content)
    assert reached(silent, marking=Tlp.RED, audience=frozenset({QUARANTINE})) == []
    assert reached(silent, marking=Tlp.AMBER_STRICT) == [QUARANTINE]


def test_an_agreement_holds_on_its_first_and_on_its_last_day() -> None:
    limited = agreement(valid_from=DAY, valid_until=DAY + timedelta(days=1))
    held = [bool(reached(limited, today=DAY + timedelta(days=n))) for n in (-1, 0, 1, 2)]
    assert held == [False, True, True, False]


def test_nobody_receives_its_own_message() -> None:
    assert reached(agreement(to=AGENCIES)) == sorted({QUARANTINE, BORDER})


def test_the_first_agreement_that_holds_is_the_one_recorded() -> None:
    ended = agreement(id="ended", valid_until=DAY - timedelta(days=1))
    compiled = Agreements(agencies(), [ended, agreement(id="first"), agreement(id="second")])
    found = compiled.recipients(CUSTOMS, "shipment.held", Tlp.AMBER, None, DAY)
    assert [one.id for one in found.values()] == ["first"]


def test_an_agency_publishes_what_its_entry_says_only() -> None:
    compiled = Agreements(agencies(customs=("shipment.*",), border=("alert.issued",), quarantine=()), [])
    assert compiled.may_publish(CUSTOMS, "shipment.held")
    assert not compiled.may_publish(CUSTOMS, "alert.issued")
    assert compiled.may_publish(BORDER, "alert.issued")
    assert not compiled.may_publish(BORDER, "alert.updated")
    assert not compiled.may_publish(QUARANTINE, "shipment.held")
    assert not compiled.may_publish("xx.unknown", "shipment.held")


def test_no_entry_lets_anybody_publish_receipts() -> None:
    assert not Agreements(agencies(), []).may_publish(CUSTOMS, "receipt.accepted")


def test_the_version_changes_with_what_agreements_or_agencies_say() -> None:
    versions = {
        Agreements(agencies(), [agreement()]).version,
        Agreements(agencies(), [agreement(purpose="other")]).version,
        Agreements(agencies(customs=()), [agreement()]).version,
    }
    assert len(versions) == 3
    assert Agreements(agencies(), [agreement()]).version in versions
