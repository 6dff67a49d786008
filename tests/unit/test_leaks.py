"""Nothing leaks: whatever the message and the agreements, no byte that leaves tells what is withheld.

The number of examples is CBM_TEST_LEAK_EXAMPLES, 300 where it is not set.
"""

import os
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.agreements import Agreements
from broker.decision import Arrival, Decision, decide, examine, receipt_of
from broker.provision import Place
from broker.service import Broker, Publication
from broker.settings import Limits, Settings
from schemas.envelope import family_of
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, alert, as_bytes, shipment

EXAMPLES = int(os.environ.get("CBM_TEST_LEAK_EXAMPLES", "300"))
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

# Where a secret can stand in a body, by the pointer that an agreement would name.
SHIPMENT_PLACES = {
    "/data/parties/*/name": ("parties", "name"),
    "/data/parties/*/id": ("parties", "id"),
    "/data/parties/*/address": ("parties", "address"),
    "/data/goods/*/description": ("goods", "description"),
    "/data/documents/*/id": ("documents", "id"),
    "/data/identifiers/*/value": ("identifiers", "value"),
    "/data/equipment/*/number": ("equipment", "number"),
    "/data/transport/carrier": ("transport", "carrier"),
    "/data/place/name": ("place", "name"),
    "/data/decision/reason": ("decision", "reason"),
}
ALERT_PLACES = {
    "/data/contact": ("contact", None),
    "/data/headline": ("headline", None),
    "/data/description": ("description", None),
    "/data/incidents": ("incidents", None),
    "/data/about/*/value": ("about", "value"),
    "/data/place/facility": ("place", "facility"),
    "/data/sender_name": ("sender_name", None),
}
FIXED: dict[str, dict[str, Any]] = {
    "parties": {"role": "consignee"},
    "goods": {"hs": "060290"},
    "documents": {"type": "851"},
    "identifiers": {"scheme": "other"},
    "equipment": {},
    "transport": {"mode": "1"},
    "place": {"country": "KR"},
    "decision": {"outcome": "held"},
    "about": {"scheme": "other"},
}
LISTS = frozenset({"parties", "goods", "documents", "identifiers", "equipment", "about"})

# Distinct from everything else in a message, so that finding one is proof.
letters = st.text(alphabet="BCDFGHJKLMNPQVWXZ", min_size=6, max_size=14)
secrets = st.builds(
    lambda a, b, joint: f"{a}{joint}{b}",
    letters,
    letters,
    st.sampled_from(["", " ", "-", "'", '"', "\\", "/", "é", "ß", "  "]),
)
disguises = st.sampled_from(["plain", "lower", "joined", "within", "swapped"])


def disguised(secret: str, how: str) -> str:
    if how == "lower":
        return secret.lower()
    if how == "joined":
        return "".join(secret.split())
    if how == "within":
        return f"see {secret}, please"
    return secret.swapcase() if how == "swapped" else secret


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, str], dict[str, Any]]:
    """An event, its secrets by pointer, and the terms of an agreement with the recipient."""
    about_alert = draw(st.booleans())
    places = ALERT_PLACES if about_alert else SHIPMENT_PLACES
    content = alert(CUSTOMS, time=NOW.isoformat()) if about_alert else shipment(CUSTOMS, time=NOW.isoformat())
    chosen = draw(st.lists(st.sampled_from(sorted(places)), min_size=1, max_size=4, unique=True))
    planted: dict[str, str] = {}
    for pointer in chosen:
        table, field = places[pointer]
        secret = planted[pointer] = draw(secrets)
        data = content["data"]
        if field is None:
            data[table] = [secret] if table == "incidents" else secret
        elif table in LISTS:
            data[table] = [FIXED[table] | (data.get(table) or [{}])[0] | {field: secret}]
        else:
            data[table] = FIXED[table] | data.get(table, {}) | {field: secret}
    hidden = draw(st.lists(st.sampled_from(chosen), min_size=1, unique=True))
    for attribute in draw(
        st.lists(st.sampled_from(["subject", "id", "correlationid", "causationid", "note"]), unique=True)
    ):
        content[attribute] = disguised(planted[draw(st.sampled_from(hidden))], draw(disguises))[:120]
    echo = "headline" if about_alert else "decision"
    if draw(st.booleans()) and echo not in content["data"]:
        text = disguised(planted[draw(st.sampled_from(hidden))], draw(disguises))
        content["data"][echo] = text if about_alert else {"outcome": "held", "reason": text}
    if draw(st.booleans()):
        content["data"]["native"] = {"format": "wco-dec", "sha256": "ab" * 32, "size": 7}
    split = draw(st.integers(0, len(hidden)))
    return content, {p: planted[p] for p in hidden}, {"withhold": hidden[:split], "pseudonymise": hidden[split:]}


def network(terms: dict[str, Any]) -> Settings:
    agreements = [
        {"id": "whole", "from": [CUSTOMS], "to": [BORDER], "types": ["*"], "max_tlp": "RED"},
        {"id": "partial", "from": [CUSTOMS], "to": [QUARANTINE], "types": ["*"], "max_tlp": "RED"} | terms,
    ]
    words = {"purpose": "p", "legal_basis": "l"}
    content = {"agency": NETWORK["agency"], "agreement": [agreement | words for agreement in agreements]}
    return Settings.model_validate(content)


def published(content: dict[str, Any], terms: dict[str, Any]) -> tuple[Decision, dict[str, list[Publication]]]:
    """Return the decision, and what leaves for each agency."""
    configured = network(terms)
    broker = Broker.__new__(Broker)
    broker._settings = configured
    broker._addresses = Place("amqp://cbm:secret@localhost/cbm", None).addresses
    agreements = Agreements.of(configured, b"token secret")
    arrival = Arrival(as_bytes(content), CUSTOMS, family_of(content["type"]), NOW)
    decision = decide(examine(arrival, agreements, Limits(), NOW), None, agreements, NOW)
    assert decision.disposition == "accepted", decision.faults
    leaving: dict[str, list[Publication]] = {}
    for publication in broker.publications(decision):
        for agency in (QUARANTINE, BORDER):
            if broker._addresses.of(agency) in publication.properties.headers["BCC"]:
                leaving.setdefault(agency, []).append(publication)
    return decision, leaving


def everything(publication: Publication) -> str:
    """All that a recipient can read of a publish: RabbitMQ takes BCC out."""
    props = publication.properties
    headers = {name: value for name, value in props.headers.items() if name != "BCC"}
    event = orjson.loads(publication.body)
    # Compared as text that people read: JSON's escapes are undone.
    texts = [
        orjson.dumps(event).decode(),
        *strings(event),
        publication.key,
        str(headers),
        str(props.message_id),
        str(props.correlation_id),
    ]
    return "\n".join(texts)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def folded(text: str) -> str:
    return "".join(text.casefold().split())


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=cases())
def test_no_withheld_value_stands_in_anything_that_leaves(case: Any) -> None:
    content, hidden, terms = case
    decision, leaving = published(content, terms)
    for publication in leaving[QUARANTINE]:
        readable = folded(everything(publication))
        for pointer, secret in hidden.items():
            assert folded(secret) not in readable, f"{pointer} leaks"
        assert BORDER not in readable
    # Who may see all of it gets the very bytes, and nothing of it tells of the other.
    assert [publication.body for publication in leaving[BORDER]] == [as_bytes(content)]
    receipt = receipt_of(decision, "node", NOW)
    assert QUARANTINE not in receipt.body.decode()


@settings(max_examples=max(EXAMPLES // 3, 50), deadline=None)
@given(case=cases())
def test_two_recipients_of_tokens_cannot_compare_them(case: Any) -> None:
    content, hidden, _ = case
    terms = {"withhold": [], "pseudonymise": sorted(hidden), "to": [QUARANTINE, BORDER]}
    configured = network(terms)
    only = configured.model_copy(update={"agreement": configured.agreement[1:]})
    agreements = Agreements.of(only, b"token secret")
    arrival = Arrival(as_bytes(content), CUSTOMS, family_of(content["type"]), NOW)
    decision = decide(examine(arrival, agreements, Limits(), NOW), None, agreements, NOW)
    tokens = [{t for t in strings(orjson.loads(view.body)) if t.startswith("PSN-")} for view in decision.views]
    assert len(tokens) == 2
    assert tokens[0]
    assert not tokens[0] & tokens[1]
