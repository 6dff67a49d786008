"""Who may see what of whom: default deny, markings, named recipients, days of validity."""

import functools
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.agreements import Agreements
from broker.conditions import Conditions, Truth, Where
from broker.settings import TYPES, Agency, Agreement
from schemas.envelope import AlertMessage, Message, ShipmentMessage, Tlp
from tests.harness import BORDER, CUSTOMS, QUARANTINE, alert, as_bytes, shipment

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


def message(sender: str, type_: str, marking: Tlp = Tlp.AMBER, audience: frozenset[str] | None = None) -> Message:
    """Return a message of this sender, type, marking and audience."""
    content = (alert if type_.startswith("alert") else shipment)(sender, type=type_, tlp=str(marking))
    if audience is not None:
        content["recipients"] = " ".join(sorted(audience))
    # Not through the schema: a RED message that names nobody is refused there already.
    model = AlertMessage if type_.startswith("alert") else ShipmentMessage
    return model.model_validate_json(as_bytes(content))


def reached(*agreements: Agreement, sender: str = CUSTOMS, type_: str = "shipment.held", **how: Any) -> list[str]:
    """Who receives a message under these agreements."""
    compiled = Agreements(agencies(), agreements)
    about = message(sender, type_, how.get("marking", Tlp.AMBER), how.get("audience"))
    return sorted(compiled.entitlements(about, how.get("today", DAY)))


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
    holding: dict[str, list[Agreement]] = {}
    for one in agreements:
        covers = any(p in ("*", type_) or p == type_.split(".")[0] + ".*" for p in one.types)
        in_force = (one.valid_from or DAY) <= DAY <= (one.valid_until or DAY)
        if sender in one.from_ and covers and in_force:
            for to in one.to:
                if to != sender and (audience is None or to in audience):
                    holding.setdefault(to, []).append(one)
    expected = {
        to
        for to, found in holding.items()
        if all(order.index(marking) <= order.index(one.max_tlp) for one in found)
        and (marking is not Tlp.RED or audience is not None)
    }
    compiled = Agreements(agencies(), agreements)
    found = compiled.entitlements(message(sender, type_, marking, audience), DAY)
    assert set(found) == expected
    for to, entitlement in found.items():
        assert all(to in one.to and sender in one.from_ for one in entitlement.agreements)


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


def test_every_agreement_that_holds_is_recorded_and_none_that_does_not() -> None:
    ended = agreement(id="ended", valid_until=DAY - timedelta(days=1))
    compiled = Agreements(agencies(), [ended, agreement(id="first"), agreement(id="second")])
    found = compiled.entitlements(message(CUSTOMS, "shipment.held"), DAY)
    assert [entitlement.ids for entitlement in found.values()] == ["first + second"]


def test_of_several_agreements_that_hold_the_stricter_counts() -> None:
    wide = agreement(id="wide", withhold=("/data/parties",), disclose=True)
    narrow = agreement(id="narrow", withhold=("/data/goods/*/value",), pseudonymise=("/data/parties",), max_tlp="GREEN")
    compiled = Agreements(agencies(), [wide, narrow])
    found = compiled.entitlements(message(CUSTOMS, "shipment.held", Tlp.GREEN), DAY)[QUARANTINE]
    assert found.withhold == {"/data/parties", "/data/goods/*/value"}
    # What one withholds no other gives back as a token.
    assert found.pseudonymise == frozenset()
    assert not found.disclosed
    assert reached(wide, narrow, marking=Tlp.AMBER) == []


def test_an_agreement_that_does_not_hold_restricts_nothing() -> None:
    limited = agreement(id="limited", where={"place": ["TH"]}, withhold=("/data/parties",))
    compiled = Agreements(agencies(), [agreement(), limited])
    assert compiled.entitlements(message(CUSTOMS, "shipment.held"), DAY)[QUARANTINE].is_whole


def test_the_reasons_for_not_receiving_name_each_condition() -> None:
    compiled = Agreements(
        agencies(),
        [agreement(id="ended", valid_until=DAY - timedelta(days=1)), agreement(id="th", where={"place": ["TH"]})],
    )
    about = message(CUSTOMS, "shipment.held")
    assert compiled.why_not(about, QUARANTINE, DAY) == ["ended: ended on 2026-05-31", "th: where.place does not hold"]
    assert compiled.why_not(about, BORDER, DAY) == ["no agreement lets it see shipment.held of kr.customs"]
    capped = Agreements(agencies(), [agreement(id="capped", max_tlp="GREEN")])
    assert capped.why_not(about, QUARANTINE, DAY) == [
        "capped: nothing more sensitive than TLP:GREEN; this is TLP:AMBER"
    ]
    assert Agreements(agencies(), [agreement()]).why_not(about, QUARANTINE, DAY) == []


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


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the conditions on each tariff heading are held against a message."""
    looks: Counter[str] = Counter()
    compile_ = Where.compile

    def counting(where: Where) -> Conditions:
        def counted(test: Callable[[Message], Truth], message: Message) -> Truth:
            looks.update(where.hs or ())
            return test(message)

        compiled = compile_(where)
        return Conditions(tuple((name, functools.partial(counted, test)) for name, test in compiled.tests))

    monkeypatch.setattr(Where, "compile", counting)
    return looks


def test_agreements_that_do_not_concern_a_message_are_not_looked_at(looked_at: Counter[str]) -> None:
    to = (QUARANTINE, BORDER)
    others: list[dict[str, Any]] = [
        {"from": (QUARANTINE,)},
        {"types": ("alert.*", "shipment.released")},
        {"valid_until": DAY - timedelta(days=1)},
        {"valid_from": DAY + timedelta(days=1)},
        {"to": (CUSTOMS,)},
    ]
    unrelated = [
        agreement(**{"id": f"u{n}", "to": to, "where": {"hs": [f"{n + 10}"]}} | others[n % len(others)])
        for n in range(80)
    ]
    concerned = [agreement(id=f"c{n}", to=to, where={"hs": ["06"]}) for n in range(3)]
    compiled = Agreements(agencies(), [*unrelated, *concerned])
    about = goods_of("060290")
    assert set(compiled.entitlements(about, DAY)) == {QUARANTINE, BORDER}
    # Once, though three agreements ask it for two recipients each.
    assert looked_at == {"06": 1}


def goods_of(*codes: str) -> Message:
    content = shipment(tlp="AMBER")
    content["data"]["goods"] = [{"hs": code} for code in codes]
    return ShipmentMessage.model_validate_json(as_bytes(content))


@given(
    st.lists(
        st.builds(
            lambda to, hs, marking, first, last: agreement(
                to=to, where={"hs": [hs]} if hs else None, max_tlp=marking, valid_from=first, valid_until=last
            ),
            st.sampled_from([(QUARANTINE,), (BORDER,), (QUARANTINE, BORDER)]),
            st.none() | st.sampled_from(["06", "07"]),
            st.sampled_from(MARKINGS),
            st.none() | st.sampled_from([DAY, DAY + timedelta(days=1)]),
            st.none() | st.sampled_from([DAY, DAY + timedelta(days=1)]),
        ),
        max_size=4,
    ),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["060290", "070190"]), max_size=2),
            st.sampled_from(MARKINGS),
            st.none() | st.frozensets(st.sampled_from(AGENCIES)),
            st.integers(-1, 2).map(lambda days: DAY + timedelta(days=days)),
        ),
        min_size=2,
        max_size=6,
    ),
)
def test_what_was_asked_before_changes_no_answer(
    agreements: list[Agreement], asked: list[tuple[list[str], Tlp, frozenset[str] | None, date]]
) -> None:
    compiled = Agreements(agencies(), agreements)
    for codes, marking, audience, today in asked:
        named = None if audience is None else " ".join(sorted(audience))
        about = goods_of(*codes).model_copy(update={"tlp": str(marking), "recipients": named})
        fresh = Agreements(agencies(), agreements)
        assert compiled.entitlements(about, today) == fresh.entitlements(about, today)
