"""The decision over one message: dispositions, recipients, keys, receipts. No RabbitMQ, no clock."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.agreements import Agreements
from broker.decision import Arrival, Decision, Earlier, decide, examine, feed_key, receipt_of
from broker.ledger import row_of
from broker.settings import Agreement, Limits, Settings
from schemas import ReceiptMessage, parse
from schemas.envelope import CONTENT_TYPE, ShipmentMessage
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, alert, as_bytes, shipment
from tests.unit.strategies import AGENCIES, NOW, broken, events

SETTINGS = Settings.model_validate(NETWORK)
AGREEMENTS = Agreements.of(SETTINGS)
LIMITS = Limits()


def arrival(content: Any, agency: str = CUSTOMS, lane: str = "shipment", **changed: Any) -> Arrival:
    body = content if isinstance(content, bytes) else as_bytes(content)
    return Arrival(body, agency, lane, NOW, **changed)


def decided(given_: Arrival, earlier: Earlier | None = None, now: datetime = NOW) -> Decision:
    return decide(examine(given_, AGREEMENTS, LIMITS, now), earlier, AGREEMENTS, now)


def codes(decision: Decision) -> list[str]:
    return [fault.code for fault in decision.faults]


def held(**attributes: Any) -> dict[str, Any]:
    return shipment(time=NOW.isoformat(), **attributes)


@given(events(), st.sampled_from(AGENCIES), st.sampled_from(["alert", "shipment"]))
def test_a_recipient_always_has_an_agreement_with_the_authenticated_sender(
    event: dict[str, Any], agency: str, lane: str
) -> None:
    decision = decided(arrival(event, agency, lane))
    named = event.get("recipients")
    by_id = {one.id: one for one in SETTINGS.agreement}
    for recipient, agreement in decision.recipients:
        assert recipient in by_id[agreement].to
        assert agency in by_id[agreement].from_
        assert recipient != agency
        assert named is None or recipient in named.split()
    if decision.recipients:
        assert (event["source"], event["type"].split(".")[0]) == (agency, lane)
        assert sorted(r for view in decision.views for r in view.recipients) == sorted(
            agency for agency, _ in decision.recipients
        )
    else:
        assert decision.views == ()
        assert decision.disposition != "accepted"


@given(events())
def test_the_bytes_that_leave_are_the_bytes_that_came(event: dict[str, Any]) -> None:
    given_ = arrival(event, event["source"], event["type"].split(".")[0])
    assert all(view.body is given_.body for view in decided(given_).views)


KEY_WORDS = {"shipment": 4, "alert": 5, "receipt": 2}


@given(events())
def test_feed_keys_have_the_number_of_words_that_the_contract_says(event: dict[str, Any]) -> None:
    key = feed_key(parse(as_bytes(event)))
    words = key.split(".")
    assert len(words) == KEY_WORDS[words[0]]
    assert all(words)
    assert key.startswith(event["type"] + ".")


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ({"locode": "KRPUS", "country": "KR"}, "KR.KRPUS"),
        ({"locode": "KRPUS"}, "KR.KRPUS"),
        ({"country": "KR"}, "KR.-"),
        ({}, "-.-"),
        (None, "-.-"),
    ],
)
def test_feed_keys_name_the_place_and_a_hyphen_stands_for_the_unknown(place: Any, where: str) -> None:
    of_shipment, of_alert = held(), alert()
    for event in (of_shipment, of_alert):
        event["data"].pop("place")
        event["data"] |= {} if place is None else {"place": place}
    assert feed_key(parse(as_bytes(of_shipment))) == f"shipment.held.{where}"
    assert feed_key(parse(as_bytes(of_alert))) == f"alert.issued.severe.{where}"


earliers = st.none() | st.builds(
    lambda disposition, recipients: Earlier("0" * 64, disposition, recipients),
    st.sampled_from(["accepted", "duplicate", "conflict", "refused", "expired", "undeliverable"]),
    st.integers(0, 5),
)


@given(
    broken() | events().map(as_bytes) | st.binary(max_size=60),
    st.sampled_from(AGENCIES),
    st.booleans(),
    earliers,
    st.booleans(),
    st.none() | st.text(max_size=130),
)
@example(as_bytes({"id": "\ud800", "specversion": "1.0"}), CUSTOMS, False, None, False, None)
@example(as_bytes({"id": "\0", "type": "\ud800"}), CUSTOMS, False, None, False, "\0")
@example(as_bytes({"id": "a", "type": "\ud800"}), CUSTOMS, False, None, False, None)
@example(as_bytes(shipment(**{"/" * 600_000: 1})), CUSTOMS, False, None, False, None)
def test_every_receipt_is_itself_a_valid_message_and_every_ledger_line_fits(
    body: bytes, agency: str, same: bool, earlier: Earlier | None, redelivered: bool, message_id: str | None
) -> None:
    given_ = arrival(body, agency, redelivered=redelivered, message_id=message_id)
    if earlier is not None and same:
        earlier = Earlier(hashlib.sha256(body).hexdigest(), earlier.disposition, earlier.recipients)
    decision = decided(given_, earlier)
    note = receipt_of(decision, "node-1", NOW)
    receipt = parse(note.body)
    assert isinstance(receipt, ReceiptMessage)
    assert (receipt.id, receipt.type) == (note.id, note.type)
    assert receipt.data.disposition == decision.disposition
    assert receipt.data.of.id == decision.examined.id
    assert [fault.code for fault in receipt.data.faults or ()] == codes(decision)
    row = row_of(decision, AGREEMENTS.version, NOW)
    for name, limit in {"id": 128, "type": 64, "subject": 256, "correlation_id": 256, "traceparent": 64}.items():
        text = row[name] or ""
        assert len(text) <= limit
        assert "\0" not in text.encode().decode()


def test_an_accepted_message_goes_to_those_the_agreements_name() -> None:
    decision = decided(arrival(held()))
    assert decision.disposition == "accepted"
    assert decision.recipients == ((QUARANTINE, "customs-to-quarantine"),)
    assert not decision.quarantined


@pytest.mark.parametrize(
    "attributes",
    [
        {"recipients": ""},
        {"recipients": BORDER},
        {"tlp": "RED", "recipients": ""},
        {"tlp": "RED", "recipients": BORDER},
    ],
)
def test_what_nobody_may_receive_is_undeliverable_and_kept(attributes: dict[str, str]) -> None:
    decision = decided(arrival(held(**attributes)))
    assert (decision.disposition, codes(decision), decision.views) == ("undeliverable", ["no-recipient"], ())
    assert decision.quarantined


def test_who_published_is_who_rabbitmq_authenticated() -> None:
    decision = decided(arrival(held(), agency=QUARANTINE))
    assert (decision.disposition, codes(decision), decision.views) == ("refused", ["wrong-source"], ())


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"message_id": "other"}, "property-mismatch"),
        ({"type": "shipment.released"}, "property-mismatch"),
        ({"app_id": BORDER}, "property-mismatch"),
        ({"user_id": BORDER}, "user-id"),
        ({"content_type": "text/xml"}, "content-type"),
        ({"content_encoding": "gzip"}, "content-encoding"),
        ({"lane": "alert"}, "wrong-lane"),
    ],
)
def test_amqp_properties_that_contradict_the_message_are_refused(changed: dict[str, str], code: str) -> None:
    given_ = arrival(held(), **({"lane": "shipment"} | changed))
    assert (decided(given_).disposition, codes(decided(given_))) == ("refused", [code])


def test_amqp_properties_that_agree_or_are_absent_are_taken() -> None:
    content = held()
    given_ = arrival(
        content,
        message_id=content["id"],
        type=content["type"],
        app_id=CUSTOMS,
        user_id=CUSTOMS,
        content_type=f"{CONTENT_TYPE}; charset=utf-8",
        content_encoding="utf-8",
    )
    decision = decided(given_)
    assert (decision.disposition, decision.warnings) == ("accepted", ())


@pytest.mark.parametrize("name", ["withheld", "receivedtime"])
def test_what_the_broker_alone_sets_is_refused_from_others(name: str) -> None:
    assert codes(decided(arrival(held(**{name: NOW.isoformat()})))) == ["broker-only-attribute"]


def test_receipts_of_others_are_refused() -> None:
    content = held(
        type="receipt.accepted", dataschema="urn:cbm:receipt:1", data={"disposition": "accepted", "of": {"id": "1"}}
    )
    assert "broker-only-type" in codes(decided(arrival(content)))


def test_a_type_that_an_agency_may_not_publish_is_refused() -> None:
    content = shipment(BORDER, time=NOW.isoformat())
    assert codes(decided(arrival(content, agency=BORDER))) == ["not-entitled"]


def test_a_message_from_the_future_is_refused_and_an_old_one_is_taken_with_a_warning() -> None:
    limit = timedelta(seconds=LIMITS.time_ahead_s)
    assert decided(arrival(held() | {"time": (NOW + limit).isoformat()})).disposition == "accepted"
    late = (NOW + limit + timedelta(seconds=1)).isoformat()
    assert codes(decided(arrival(held() | {"time": late}))) == ["time-ahead"]
    old = decided(arrival(held() | {"time": (NOW - timedelta(days=3650)).isoformat()}))
    assert (old.disposition, [warning.code for warning in old.warnings]) == ("accepted", ["time-behind"])


def test_a_message_expires_at_the_moment_it_names() -> None:
    moment = NOW + timedelta(minutes=1)
    given_ = arrival(held(expires=moment.isoformat()))
    assert decided(given_, now=moment - timedelta(microseconds=1)).disposition == "accepted"
    expired = decided(given_, now=moment)
    assert (expired.disposition, expired.quarantined, expired.views) == ("expired", True, ())


def test_the_same_content_again_is_a_duplicate_and_other_content_a_conflict() -> None:
    given_ = arrival(held(id="1"))
    earlier = Earlier(hashlib.sha256(given_.body).hexdigest(), "accepted", 1)
    again = decided(given_, earlier)
    assert (again.disposition, again.views, again.quarantined) == ("duplicate", (), False)
    other = decided(arrival(held(id="1", subject="other")), earlier)
    assert (other.disposition, other.views, other.quarantined) == ("conflict", (), True)


def test_a_refused_message_may_be_corrected_under_its_id() -> None:
    earlier = Earlier("0" * 64, "refused", 0)
    assert decided(arrival(held()), earlier).disposition == "accepted"


@pytest.mark.parametrize("disposition", ["accepted", "refused", "expired", "undeliverable", "conflict"])
def test_a_delivery_repeated_after_a_crash_is_told_again_and_not_delivered_again(disposition: Any) -> None:
    given_ = arrival(held(), redelivered=True)
    decision = decided(given_, Earlier(hashlib.sha256(given_.body).hexdigest(), disposition, 3))
    assert (decision.disposition, decision.repeated, decision.views) == (disposition, True, ())
    assert not decision.quarantined


def test_a_receipt_of_the_same_decision_has_the_same_id_and_of_another_another() -> None:
    given_ = arrival(held(id="1"))
    once, again = (receipt_of(decided(given_), "node", NOW).id for _ in range(2))
    assert once == again
    other = receipt_of(decided(arrival(held(id="2"))), "node", NOW).id
    assert other != once


def test_a_receipt_names_recipients_only_where_the_agreement_discloses_them() -> None:
    note = json.loads(receipt_of(decided(arrival(held())), "node", NOW).body)
    assert (note["data"]["recipients"], "recipient_ids" in note["data"]) == (1, False)
    open_ = [Agreement.model_validate(one.model_dump(by_alias=True) | {"disclose": True}) for one in SETTINGS.agreement]
    agreements = Agreements(SETTINGS.agency, open_)
    decision = decide(examine(arrival(held()), agreements, LIMITS, NOW), None, agreements, NOW)
    assert json.loads(receipt_of(decision, "node", NOW).body)["data"]["recipient_ids"] == [QUARANTINE]


def test_odd_identifiers_are_warnings_and_no_reason_to_refuse() -> None:
    content = held()
    content["data"]["identifiers"] = [
        {"scheme": "container", "value": "CSQU3054384"},
        {"scheme": "ucr", "value": "6kr999"},
    ]
    decision = decided(arrival(content))
    assert decision.disposition == "accepted"
    assert [(w.code, w.pointer) for w in decision.warnings] == [
        ("odd-identifier", "/data/identifiers/0/value"),
        ("not-normalised", "/data/identifiers/1/value"),
    ]


def test_the_day_of_an_agreement_is_the_day_in_utc() -> None:
    agreement = SETTINGS.agreement[0].model_dump(by_alias=True) | {"valid_until": NOW.date()}
    agreements = Agreements(SETTINGS.agency, [Agreement.model_validate(agreement)])
    last = datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC)
    for now, expected in ((last, "accepted"), (last + timedelta(seconds=1), "undeliverable")):
        decision = decide(examine(arrival(held()), agreements, LIMITS, now), None, agreements, now)
        assert decision.disposition == expected


def test_the_parsed_message_is_the_one_that_was_examined() -> None:
    examined = examine(arrival(held(id="7")), AGREEMENTS, LIMITS, NOW)
    assert isinstance(examined.message, ShipmentMessage)
    assert examined.key == (CUSTOMS, "7")


def test_a_receipt_of_a_brokers_that_comes_back_is_refused_and_gets_no_receipt_but_one_made_up_does() -> None:
    note = receipt_of(decided(arrival(held())), "node", NOW)
    back = decided(arrival(note.body))
    assert (back.disposition, back.quarantined, back.answered) == ("refused", True, False)
    made_up = decided(arrival(json.loads(note.body) | {"source": CUSTOMS}))
    assert (made_up.disposition, made_up.answered) == ("refused", True)
