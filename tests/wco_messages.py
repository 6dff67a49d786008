"""Messages of every kind that a WCO response can be asked to express, for property tests."""

from datetime import UTC, timedelta, timezone
from datetime import datetime as dt
from typing import Any

from hypothesis import strategies as st

from adapters.profile import NEUTRAL
from adapters.wco_codes import responses_of
from schemas import build
from schemas.shipment import Decision, Equipment, Goods, Identifier, Shipment, Value

CODES = responses_of(NEUTRAL)


def some(model: type[Any], required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Make instances of a model with or without each of the optional fields."""
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: model(**fields))


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=700)
TOKENS = st.from_regex(r"[a-z][a-z0-9-]{0,63}", fullmatch=True)
SCHEMES = st.sampled_from(
    ["ucr", "mrn", "lrn", "transport-document", "container", "certificate", "seal", "equipment", "other"]
)
NUMBERS = (PLAIN.map(lambda value: value[:80]) | st.from_regex(r"[A-Z]{3}U[0-9]{7}", fullmatch=True)).filter(
    lambda value: bool("".join(value.split()))
)
COUNTS = st.integers(0, 10**9)
MOMENTS = st.builds(
    lambda seconds, minutes: dt.fromtimestamp(seconds, UTC).astimezone(timezone(timedelta(minutes=minutes))),
    st.integers(600_000_000, 4_500_000_000) | st.integers(20_000, 50_000).map(lambda day: day * 86400),
    st.sampled_from([0, 60, 540, -300, 330, -839]),
)
GOODS = some(
    Goods,
    {},
    {
        "item": COUNTS,
        "hs": st.from_regex(r"[0-9]{2,14}", fullmatch=True),
        "description": PLAIN,
        "origin": st.sampled_from(["KR", "TH", "XK"]),
        "gross_mass_kg": st.floats(0, 1e14, allow_nan=False),
        "packages": COUNTS,
        "un_number": st.from_regex(r"[0-9]{4}", fullmatch=True),
        "value": st.builds(Value, amount=st.floats(-1e14, 1e14), currency=st.sampled_from(["KRW", "ZZZ"])),
    },
)
OUTCOMES = TOKENS | st.sampled_from([*(outcome for _, outcome in CODES.events.values()), "request-granted"])
DECISIONS = some(
    Decision,
    {"outcome": OUTCOMES},
    {
        "authority": PLAIN.map(lambda value: value[:512]),
        "item": COUNTS,
        "reason": PLAIN | st.lists(PLAIN, min_size=2, max_size=20).map(lambda lines: "\n".join(lines)[:8192]),
        "version": COUNTS,
        "automatic": st.booleans(),
    },
)
BODIES = some(
    Shipment,
    {
        "identifiers": st.lists(st.builds(Identifier, scheme=SCHEMES, value=NUMBERS), min_size=1, max_size=6),
        "occurred": MOMENTS,
    },
    {
        "zone_assumed": st.just(True),
        "goods": st.lists(GOODS, max_size=3),
        "equipment": st.lists(
            some(Equipment, {"number": NUMBERS}, {"seals": st.lists(NUMBERS, max_size=3)}), max_size=2
        ),
        "decision": DECISIONS,
    },
)
IDS = st.uuids().map(str) | st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=128
)
MESSAGES = st.builds(
    lambda type_, body, id_, time: build(
        specversion="1.0", id=id_, source="kr.quarantine", type=type_, subject="s", time=time,
        datacontenttype="application/json", dataschema="urn:cbm:shipment:1", data=body,
    ),
    st.sampled_from(sorted(CODES.by_type)), BODIES, IDS, MOMENTS,
)  # fmt: skip
