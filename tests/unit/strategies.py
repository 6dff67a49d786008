"""Generated messages, valid and broken, for the properties that hold of all of them."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from tests.harness import BORDER, CUSTOMS, QUARANTINE, alert, shipment

AGENCIES = (CUSTOMS, QUARANTINE, BORDER)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def places(draw: st.DrawFn) -> dict[str, Any]:
    """A place with any of its two codes."""
    chosen = {"country": draw(st.sampled_from(["KR", "TH", "NL"])), "locode": draw(st.sampled_from(["KRPUS", "NLRTM"]))}
    kept = draw(st.sets(st.sampled_from(sorted(chosen))))
    return {name: chosen[name] for name in kept}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """A valid message of any family but receipts, with attributes set or not."""
    source = draw(st.sampled_from(AGENCIES))
    moment = NOW.isoformat()
    if draw(st.booleans()):
        event = shipment(
            source, type=f"shipment.{draw(st.sampled_from(['held', 'declared', 'gated-in']))}", time=moment
        )
    else:
        event = alert(source, time=moment)
        if draw(st.booleans()):
            event |= {"type": "alert.cancelled"}
            event["data"].pop("severity")
    if draw(st.booleans()):
        event["data"]["place"] = draw(places())
    else:
        event["data"].pop("place")
    optional: dict[str, st.SearchStrategy[Any]] = {
        "tlp": st.sampled_from(["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", "WHITE"]),
        "recipients": st.lists(st.sampled_from([*AGENCIES, "xx.nobody"]), max_size=3).map(" ".join),
        "expires": st.sampled_from(["2026-05-31T00:00:00Z", "2027-01-01T00:00:00+09:00"]),
        "correlationid": st.sampled_from(["c" * 256, "☂" * 100]),
        "traceparent": st.just(f"00-{'a' * 32}-{'b' * 16}-01"),
        "test": st.booleans(),
        "id": st.sampled_from(["1", "x" * 128, "\U0001f6a2" * 128]),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            event[name] = draw(strategy)
    if event.get("tlp") == "RED":
        event.setdefault("recipients", "")
    return event


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A message with any of its places replaced by anything."""
    event = draw(events())
    for _ in range(draw(st.integers(1, 3))):
        target = event
        if isinstance(event.get("data"), dict) and draw(st.booleans()):
            target = event["data"]
        name = draw(st.sampled_from(sorted(target) or ["data"]) | st.text(max_size=8))
        target[name] = draw(json_values)
    return json.dumps(event).encode()
