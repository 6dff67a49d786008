"""What stands in RabbitMQ, and what an agency may do there."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.credentials import password_hash
from broker.names import DELIVER, JOURNAL, QUARANTINE
from broker.settings import Limits, Settings
from broker.topology import AGENCY_TAG, Addresses, definitions, policies, rights, topology
from schemas.codes import AGENCY_PATTERN
from tests.harness import BORDER, CUSTOMS, NETWORK
from tests.harness import QUARANTINE as QUARANTINE_AGENCY

AGENCIES = (CUSTOMS, QUARANTINE_AGENCY, BORDER)
ADDRESSES = Addresses("secret")
WHOLE = topology(AGENCIES, ADDRESSES)

agency_ids = st.from_regex(AGENCY_PATTERN, fullmatch=True)


def may(agency: str, right: str, name: str) -> bool:
    """Ask as RabbitMQ asks: an unanchored search."""
    return re.search(rights(agency)[right], name) is not None


# What the contract lets an agency do, as names; all else is refused.
def allowed(agency: str) -> dict[str, set[str]]:
    own = {f"sub.{agency}.a", f"sub.{agency}.a.b"}
    return {
        "configure": own,
        "write": own | {f"in.{agency}"},
        "read": own
        | {f"feed.{agency}", f"log.{agency}"}
        | {f"inbox.{agency}.{kind}" for kind in ("alert", "shipment", "receipt")},
    }


def every_name(agency: str) -> set[str]:
    """Names that exist, may exist, or differ by little from an agency's own."""
    names = {"", "amq.default", "amq.topic", "amq.direct", "amq.fanout", DELIVER, JOURNAL, QUARANTINE}
    near = {agency, agency.replace(".", "x", 1), agency + "2", agency[:-1], "x" + agency, agency + ".x", agency.upper()}
    for one in near | set(AGENCIES) | {"kr.customs-2"}:
        for form in (
            "in.{}",
            "feed.{}",
            "log.{}",
            "inbox.{}.alert",
            "inbox.{}.shipment",
            "inbox.{}.receipt",
            "sub.{}.a",
            "sub.{}.a.b",
            "ingress.{}.alert",
            "to.{}",
            "sub.{}",
            "inxx{}",
            "{}",
            "xin.{}",
        ):
            names.add(form.format(one))
    return names


@given(agency_ids)
def test_an_agency_has_exactly_the_rights_of_the_contract(agency: str) -> None:
    for right, names in allowed(agency).items():
        for name in every_name(agency):
            # What begins with an agency's own sub. and inbox. is its own, whatever follows.
            own = name.startswith((f"sub.{agency}.", *((f"inbox.{agency}.",) if right == "read" else ())))
            assert may(agency, right, name) == (name in names or own), (right, name)


@given(agency_ids, agency_ids)
def test_no_agency_has_a_right_to_what_is_anothers(one: str, other: str) -> None:
    for right, names in allowed(other).items():
        assert one == other or not any(may(one, right, name) for name in names)


@pytest.mark.parametrize(
    ("right", "name"),
    [
        ("write", "in.krxcustoms"),
        ("write", "in.kr.customs2"),
        ("write", "xin.kr.customs"),
        ("write", "in.kr.customs\nin.kr.border"),
        ("write", ""),
        ("write", "amq.default"),
        ("read", "feed.kr.customs-2"),
        ("read", "inbox.krxcustoms.alert"),
        ("read", "log.kr.customs.x"),
        ("configure", "in.kr.customs"),
        ("configure", "inbox.kr.customs.alert"),
        ("configure", "sub.kr.customs"),
        ("configure", "subxkr.customs.a"),
    ],
)
def test_dots_are_dots_and_names_are_whole(right: str, name: str) -> None:
    assert not may("kr.customs", right, name)


def test_every_agency_has_its_exchanges_queues_and_log() -> None:
    names = {queue.name for queue in WHOLE.queues}
    exchanges = dict(WHOLE.exchanges)
    for agency in AGENCIES:
        assert (exchanges[f"in.{agency}"], exchanges[f"feed.{agency}"]) == ("direct", "topic")
        assert {f"ingress.{agency}.{lane}" for lane in ("alert", "shipment")} <= names
        assert {f"inbox.{agency}.{kind}" for kind in ("alert", "shipment", "receipt")} | {f"log.{agency}"} <= names
    assert {QUARANTINE, JOURNAL} <= names


def test_the_only_way_from_an_agencys_exchange_is_into_its_own_ingress_queues() -> None:
    for agency in AGENCIES:
        found = {(b.destination, b.key) for b in WHOLE.bindings if b.source == f"in.{agency}"}
        assert found == {(f"ingress.{agency}.{lane}", lane) for lane in ("alert", "shipment")}
        assert not any(b.destination == f"in.{agency}" for b in WHOLE.bindings)


def test_the_only_way_into_standing_queues_is_from_deliver_by_the_agencys_own_addresses() -> None:
    for agency in AGENCIES:
        into = {(b.source, b.key) for b in WHOLE.bindings if b.destination == f"standing.{agency}"}
        assert into == {(DELIVER, f"to.{agency}"), (DELIVER, ADDRESSES.of(agency))}
        for queue in (*(f"inbox.{agency}.{kind}" for kind in ("alert", "shipment", "receipt")), f"log.{agency}"):
            assert {b.source for b in WHOLE.bindings if b.destination == queue} == {f"standing.{agency}"}


def test_what_agencies_bind_to_their_feeds_is_not_on_the_way_of_anything_that_is_delivered() -> None:
    for agency in AGENCIES:
        assert not any(b.source == f"feed.{agency}" for b in WHOLE.bindings)
        # By the contract's word alone, which the broker itself never uses.
        into = {(b.source, b.key) for b in WHOLE.bindings if b.destination == f"feed.{agency}"}
        assert into == {(DELIVER, f"to.{agency}")}
        assert ADDRESSES.of(agency) != f"to.{agency}"
        name = f"standing.{agency}"
        assert not any(may(one, right, name) for one in AGENCIES for right in ("configure", "write", "read"))


def test_what_earlier_versions_bound_is_nothing_that_is_wanted_now() -> None:
    assert WHOLE.former
    assert not set(WHOLE.former) & set(WHOLE.bindings)


def test_ingress_is_refused_when_full_and_an_inbox_drops_its_oldest() -> None:
    found = policies(Limits())
    assert found["cbm-ingress"][1]["overflow"] == found["cbm-quarantine"][1]["overflow"] == "reject-publish"
    assert found["cbm-inbox"][1]["overflow"] == found["cbm-sub"][1]["overflow"] == "drop-head"


def test_every_queue_falls_under_exactly_one_policy() -> None:
    patterns = [pattern for pattern, _ in policies(Limits()).values()]
    for name in [queue.name for queue in WHOLE.queues] + [f"sub.{CUSTOMS}.a"]:
        assert sum(re.search(pattern, name) is not None for pattern in patterns) == 1, name


def test_arguments_fix_a_queues_type_and_nothing_that_an_operator_tunes() -> None:
    for queue in WHOLE.queues:
        assert set(queue.arguments) <= {"x-queue-type", "x-single-active-consumer"}
        assert ("x-single-active-consumer" in queue.arguments) == queue.name.startswith("ingress.")


def test_addresses_are_the_same_for_the_same_secret_differ_by_agency_and_do_not_tell_it() -> None:
    assert Addresses("secret").of(CUSTOMS) == ADDRESSES.of(CUSTOMS)
    assert Addresses("other").of(CUSTOMS) != ADDRESSES.of(CUSTOMS)
    found = [ADDRESSES.of(agency) for agency in (*AGENCIES, "journal")]
    assert len(set(found)) == 4
    assert not any("kr" in address or "." in address for address in found)


def test_definitions_carry_hashes_and_never_a_password() -> None:
    settings = Settings.model_validate(NETWORK)
    passwords: dict[str, str | None] = dict.fromkeys(AGENCIES, "s3cr3t-password")
    document: dict[str, Any] = definitions(settings, passwords, ADDRESSES)
    assert "s3cr3t-password" not in str(document)
    assert {user["password_hash"] for user in document["users"]} == {password_hash("s3cr3t-password")}
    assert {user["tags"] for user in document["users"]} == {AGENCY_TAG}
    assert [p["user"] for p in document["permissions"]] == list(AGENCIES)
    assert all(p["vhost"] == "cbm" for p in document["permissions"])


def test_an_agency_without_a_password_has_no_hash_either_and_each_has_its_limits() -> None:
    limits = {"connections_per_agency": 7, "channels_per_agency": 70}
    settings = Settings.model_validate(NETWORK | {"limits": limits})
    document = definitions(settings, {CUSTOMS: None, BORDER: "known"}, ADDRESSES)
    assert [user["password_hash"] for user in document["users"]] == ["", password_hash("known")]
    assert all(user["limits"] == {"max-connections": 7, "max-channels": 70} for user in document["users"])
