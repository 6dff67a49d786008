"""Signatures: what is signed is verified, and nothing else is, by the broker and by who receives a view."""

import copy
import hashlib
import json
import re
import stat
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from pydantic import ValidationError
from sd_jwt.verifier import SDJWTVerifier

from adapters.commands import _signing_key
from broker import signatures
from broker.agreements import Agreements
from broker.decision import Arrival, examine
from broker.disclosures import SEPARATOR, canonical, commit, decoded, disclosed, encoded, places
from broker.keys import Keyring, PublicKey, SigningKey
from broker.settings import Adapter, Limits, Settings
from broker.signatures import Verified, sign_bytes, sign_message, verify
from broker.views import TokenKey, pointer_pattern, redact
from schemas import parse
from schemas.envelope import MAX_BYTES
from schemas.errors import ConfigError, InvalidMessage, NotFound
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, as_bytes, shipment
from tests.unit.strategies import NOW, events, json_values
from tests.unit.test_leaks import full, put

KEY, OTHER = SigningKey("2026-1", bytes(range(32))), SigningKey("2026-1", bytes(range(1, 33)))
FORMS = pytest.mark.parametrize("by_field", [False, True], ids=["whole", "by field"])
LIMITS = Limits()
TODAY = NOW.date()


def public(key: SigningKey, **term: Any) -> PublicKey:
    return PublicKey(id=key.id, public=key.public, **term)


KEYS = {KEY.id: public(KEY)}
RING = Keyring({CUSTOMS: [public(KEY)], QUARANTINE: [public(OTHER)]})


def event() -> dict[str, Any]:
    content = full(CUSTOMS, "shipment") | {"id": "s1", "correlationid": "c-1", "expires": "2027-01-01T00:00:00Z"}
    content["data"]["goods"][0]["gross_mass_kg"] = 12.5
    content["data"]["equipment"][0]["seals"] = ["SEAL-11", "SEAL-22", "SEAL-33"]
    content["data"]["parties"][0]["name"] = "Quokka Trading"
    return content


def signed(content: dict[str, Any] | None = None, *, by_field: bool = True, key: SigningKey = KEY) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(sign_bytes(as_bytes(content or event()), key, by_field=by_field))
    return result


def faults(content: dict[str, Any] | bytes, keys: dict[str, PublicKey] = KEYS, day: date = TODAY) -> list[Any]:
    body = content if isinstance(content, bytes) else as_bytes(content)
    return [(fault.code, fault.pointer) for fault in signatures.check(body, keys, day)]


def unverified(content: dict[str, Any] | bytes, ring: Keyring = RING, at: Any = NOW) -> tuple[str, str]:
    with pytest.raises(InvalidMessage) as caught:
        verify(content if isinstance(content, bytes) else as_bytes(content), ring, at=at)
    (fault,) = caught.value.faults
    return fault.code, fault.pointer


def view(content: dict[str, Any], *withhold: str, tokens: tuple[str, ...] = ()) -> dict[str, Any]:
    redacted = redact(
        as_bytes(content), [*map(pointer_pattern, withhold)], [*map(pointer_pattern, tokens)], TokenKey(b"s", "a")
    )
    assert redacted is not None
    result: dict[str, Any] = json.loads(redacted.body)
    return result


# What is signed


@FORMS
@given(content=events())
def test_what_is_signed_is_a_message_that_the_broker_and_every_recipient_verify(
    by_field: bool, content: dict[str, Any]
) -> None:
    body = sign_bytes(as_bytes(content), KEY, by_field=by_field)
    parse(body)
    assert signatures.check(body, KEYS, NOW.date()) == ()
    found = verify(body, Keyring({content["source"]: [public(KEY)]}))
    assert (found.sender, found.key, found.unsigned) == (content["source"], KEY.id, ())
    assert {n: v for n, v in found.event.items() if n not in ("digests", "disclosures")} == content


@FORMS
@given(content=events())
def test_a_message_of_the_library_is_signed_over_the_bytes_that_go_out(by_field: bool, content: dict[str, Any]) -> None:
    message = sign_message(parse(as_bytes(content)), KEY, by_field=by_field)
    assert faults(message.to_bytes()) == []
    assert sign_message(message, OTHER) is message


@FORMS
def test_signing_adds_to_the_bytes_and_changes_none(by_field: bool) -> None:
    body = json.dumps(event(), separators=(" ,  ", " : ")).replace("12.5", "1.250E1").encode()
    again = sign_bytes(body + b"\n", KEY, by_field=by_field)
    assert again.startswith(body[:-1] + b',"signature"')
    assert faults(again) == []


@FORMS
def test_the_same_event_is_signed_the_same_and_no_other_shares_a_salt_with_it(by_field: bool) -> None:
    assert signed(by_field=by_field) == signed(by_field=by_field)
    if by_field:
        salts = [
            {json.loads(decoded(one))[0] for one in signed(content, key=key)["disclosures"].split(SEPARATOR)}
            for content, key in ((event(), KEY), (event() | {"id": "s2"}, KEY), (event(), OTHER))
        ]
        assert [len(one) for one in salts] == [len(places(event()))] * 3
        assert not salts[0] & salts[1] | salts[0] & salts[2]
        assert all(len(salt) * 6 >= 128 for one in salts for salt in one)


@FORMS
def test_any_other_value_anywhere_breaks_it(by_field: bool) -> None:
    good = signed(by_field=by_field)
    for path in [("tlp",), ("test",), ("type",), ("source",), ("note",), *places(good)]:
        changed = copy.deepcopy(good)
        here: Any = changed
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = {"": 1} if path[-1] in here and isinstance(here[path[-1]], str) else "other"
        assert faults(changed), path
        with pytest.raises(InvalidMessage):
            verify(as_bytes(changed), Keyring({one: [public(KEY)] for one in (CUSTOMS, "other")}), at=NOW)
    for path in places(good):
        changed = copy.deepcopy(good)
        here = changed
        for step in path[:-1]:
            here = here[step]
        del here[path[-1]]
        assert faults(changed), path


@given(json_values)
def test_canonical_json_is_that_of_rfc_8785(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        with pytest.raises(InvalidMessage):
            canonical(value)
    else:
        assert canonical(value) == expected


@FORMS
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": 2**53}, "not-canonical"),
        ({"count": float("nan")}, "not-canonical"),
        ({"signature": "a..b"}, "signed-already"),
        ({"note": "x" * MAX_BYTES}, "too-large"),
    ],
)
def test_what_cannot_be_signed_is_refused_to_its_sender(by_field: bool, change: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        sign_bytes(as_bytes(event() | change), KEY, by_field=by_field)
    assert [fault.code for fault in caught.value.faults] == [code]


def test_the_sender_hears_where_only_the_signature_by_field_makes_it_too_large() -> None:
    content = event()
    content["data"]["goods"] = [{"item": n + 1, "description": "d" * 60} for n in range(4000)]
    assert sign_bytes(as_bytes(content), KEY)
    with pytest.raises(InvalidMessage, match="Signed as a whole it is smaller"):
        sign_bytes(as_bytes(content), KEY, by_field=True)


# Whose keys, and until when


@FORMS
def test_a_key_of_another_agency_under_the_same_id_is_none(by_field: bool) -> None:
    forged = signed(by_field=by_field, key=OTHER)
    assert faults(forged) == [("bad-signature", "/signature")]
    assert unverified(forged) == ("bad-signature", "/signature")
    assert faults(forged, {}) == [("unknown-key", "/signature")]
    assert unverified(signed(event() | {"source": BORDER}, by_field=by_field)) == ("unknown-key", "/signature")


@pytest.mark.parametrize(
    ("day", "good"), [("2026-05-31", False), ("2026-06-01", True), ("2026-06-30", True), ("2026-07-01", False)]
)
@FORMS
def test_a_key_is_good_in_its_term_both_days_included(by_field: bool, day: str, good: bool) -> None:
    key = public(KEY, valid_from=date(2026, 6, 1), valid_until=date(2026, 6, 30))
    expected = [] if good else [("key-term", "/signature")]
    assert faults(signed(by_field=by_field), {KEY.id: key}, date.fromisoformat(day)) == expected
    # The last moment of the day in UTC, whatever the clock at the recipient's.
    moment = datetime.fromisoformat(f"{day}T23:59:59Z").astimezone(tz=None) + timedelta(0)
    ring = Keyring({CUSTOMS: [key]})
    if good:
        assert verify(as_bytes(signed(by_field=by_field)), ring, at=moment).key == KEY.id
    else:
        assert unverified(signed(by_field=by_field), ring, moment) == ("key-term", "/signature")


def test_the_broker_goes_by_the_arrival_and_a_recipient_by_what_the_broker_says_of_it() -> None:
    content = NETWORK | {"agency": [NETWORK["agency"][0] | {"key": [public(KEY, valid_until=NOW.date())]}]}
    content["agreement"] = []
    agreements = Agreements.of(Settings.model_validate(content))
    body = as_bytes(signed())
    for received, good in ((NOW, True), (NOW + timedelta(days=1), False)):
        found = examine(Arrival(body, CUSTOMS, "shipment", received), agreements, LIMITS, NOW)
        assert [fault.code for fault in found.faults] == ([] if good else ["key-term"])


def test_a_missing_signature_is_refused_only_where_the_agency_s_entry_asks_for_one() -> None:
    customs = NETWORK["agency"][0] | {"key": [public(KEY)]}
    for entry, code in ((customs, []), (customs | {"signatures": "required"}, ["unsigned"])):
        agreements = Agreements.of(Settings.model_validate({"agency": [entry]}))
        examined = examine(Arrival(as_bytes(event()), CUSTOMS, "shipment", NOW), agreements, LIMITS, NOW)
        assert [fault.code for fault in examined.faults] == code
        for form in (False, True):
            body = as_bytes(signed(by_field=form))
            assert not examine(Arrival(body, CUSTOMS, "shipment", NOW), agreements, LIMITS, NOW).faults
            unknown = Agreements.of(Settings.model_validate({"agency": [NETWORK["agency"][0]]}))
            (fault,) = examine(Arrival(body, CUSTOMS, "shipment", NOW), unknown, LIMITS, NOW).faults
            assert fault.code == "unknown-key"


@pytest.mark.parametrize(
    "raw",
    [
        bytes(32),
        b"\x01" + bytes(31),
        b"\xec" + b"\xff" * 30 + b"\x7f",
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
        b"\xee" + b"\xff" * 30 + b"\x7f",
        b"\x02" + bytes(31),
    ],
)
def test_a_key_with_which_anybody_can_sign_is_refused(raw: bytes) -> None:
    with pytest.raises(ValidationError, match=r"small order|no point of the curve"):
        PublicKey(id="k", public=encoded(raw))


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_is_made_is_taken(seed: bytes) -> None:
    assert public(SigningKey("k", seed)).id == "k"


# Signatures made to be accepted


def resigned(header: dict[str, Any] | bytes, payload: bytes) -> str:
    """A signature by the true key under any header."""
    first = encoded(header if isinstance(header, bytes) else json.dumps(header).encode())
    return f"{first}..{encoded(KEY.sign(f'{first}.{encoded(payload)}'.encode()))}"


GOOD_HEADER = {"alg": "EdDSA", "kid": KEY.id, "typ": "cbm-event"}


@pytest.mark.parametrize(
    "header",
    [
        GOOD_HEADER | {"alg": "none"},
        GOOD_HEADER | {"alg": "HS256"},
        GOOD_HEADER | {"alg": "ES256"},
        GOOD_HEADER | {"alg": None},
        GOOD_HEADER | {"alg": ["EdDSA"]},
        GOOD_HEADER | {"kid": 1},
        GOOD_HEADER | {"typ": "JWT"},
        GOOD_HEADER | {"typ": "cbm-event+sd-jwt"},
        GOOD_HEADER | {"crit": ["b64"], "b64": False},
        GOOD_HEADER | {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": KEY.public}},
        GOOD_HEADER | {"jku": "https://example.org/keys"},
        {"alg": "EdDSA"},
        {},
        b'{"alg":"none","alg":"EdDSA","kid":"2026-1","typ":"cbm-event"}',
        b"[]",
        b"null",
        b"\xff",
        b"[" * 300,
        json.dumps(GOOD_HEADER).encode() + b" " * 400,
    ],
)
def test_a_header_of_any_other_kind_is_refused_although_the_true_key_signed_it(header: dict[str, Any] | bytes) -> None:
    content = event()
    assert faults(content | {"signature": resigned(GOOD_HEADER, signatures.signed_bytes(content))}) == []
    content["signature"] = resigned(header, signatures.signed_bytes(content))
    assert faults(content) == [unverified(content)] == [("signature-form", "/signature")]


def test_the_newer_name_of_the_algorithm_is_taken_too() -> None:
    content = event()
    content["signature"] = resigned(GOOD_HEADER | {"alg": "Ed25519"}, signatures.signed_bytes(content))
    assert faults(content) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s: s[:-1], "signature-form"),
        (lambda s: s[:-2], "bad-signature"),
        (lambda s: s + "AAAA", "bad-signature"),
        (lambda s: s[:-2] + ("B" if s[-2] == "A" else "A") + s[-1], "bad-signature"),
        # A last letter with bits that say nothing is no second spelling.
        (lambda s: s[:-1] + chr(ord(s[-1]) + 1), "signature-form"),
        (lambda s: s.split(".")[0] + ".." + encoded(bytes(64)), "bad-signature"),
        (lambda s: s.replace("..", "."), "signature-form"),
        (lambda s: s.replace("..", ".e30."), "signature-form"),
        (lambda s: s + "=", "signature-form"),
        (lambda s: s + "A" * 600, "signature-form"),
        (lambda s: "", "signature-form"),
        (lambda s: 5, "unsigned"),
    ],
)
@FORMS
def test_a_signature_that_is_cut_or_stretched_is_refused(
    by_field: bool, change: Callable[[str], Any], code: str
) -> None:
    content = signed(by_field=by_field)
    content["signature"] = change(content["signature"])
    assert faults(content) == [unverified(content)] == [(code, "/signature")]


def test_one_kind_of_signature_is_not_taken_for_the_other() -> None:
    whole, by_field = signed(by_field=False), signed()
    assert faults(whole | {"digests": by_field["digests"]}) == [("signature-form", "/signature")]
    assert faults({n: v for n, v in by_field.items() if n != "digests"}) == [("signature-form", "/disclosures")]
    assert faults({n: v for n, v in by_field.items() if n not in ("digests", "disclosures")}) == [
        ("signature-form", "/signature")
    ]
    assert faults({n: v for n, v in by_field.items() if n != "signature"}) == [("unsigned", "/signature")]
    assert faults(by_field | {"signature": whole["signature"]}) == [("signature-form", "/signature")]
    other = signed(event() | {"id": "s2"})
    for mixed in (by_field | {"signature": other["signature"]}, by_field | {"digests": other["digests"]}):
        assert faults(mixed) == [unverified(mixed)] == [("bad-signature", "/signature")]
    assert faults(by_field | {"disclosures": other["disclosures"]}) == [("disclosures", "/disclosures")]


def committed(
    content: dict[str, Any],
    salts: list[str] | None = None,
    change: Callable[[dict[str, Any]], Any] = lambda payload: None,
) -> dict[str, Any]:
    """A message signed by field by its true sender, who does not keep to the form."""
    payload, disclosures = commit(content, iter(salts) if salts else KEY.salts(content))
    loaded = json.loads(payload)
    change(loaded)
    payload = canonical(loaded)
    return content | {
        "signature": signatures.jws(KEY, payload, signatures.TYPE_BY_FIELD),
        "digests": encoded(payload),
        "disclosures": SEPARATOR.join(disclosures),
    }


def test_a_salt_that_hides_nothing_is_refused() -> None:
    count = len(places(event()))
    good = [encoded(bytes([n]) * 16) for n in range(count)]
    assert faults(committed(event(), good)) == []
    # Who is shown one value and its salt could try all others.
    assert faults(committed(event(), [*good[:-1], good[0]])) == [("disclosures", "/disclosures")]
    for salt in ("short", "", "x" * 65, 'a"' * 15, "é" * 22):
        assert faults(committed(event(), [*good[:-1], salt])) == [("disclosures", "/disclosures")]


def test_what_stands_in_clear_or_in_a_coarser_piece_is_refused() -> None:
    def clear(payload: dict[str, Any]) -> None:
        payload["data"]["occurred"] = event()["data"]["occurred"]

    assert faults(committed(event(), change=clear)) == [("digests", "/digests")]
    assert faults(committed(event(), change=lambda p: p["_sd"].append(encoded(bytes(32))))) == [("digests", "/digests")]
    assert faults(committed(event(), change=lambda p: p.update(more="x"))) == [("digests", "/digests")]
    assert faults(committed(event(), change=lambda p: p["_sd"].reverse())) == [("digests", "/digests")]
    good = signed()
    pieces = good["disclosures"].split(SEPARATOR)
    for wrong in (pieces[:-1], [*pieces, pieces[0]], pieces[::-1], [pieces[0], *pieces[:-1]], [""], ["A", *pieces[1:]]):
        assert faults(good | {"disclosures": SEPARATOR.join(wrong)}) == [("disclosures", "/disclosures")]


def test_names_that_the_form_needs_for_itself_cannot_be_signed_by_field() -> None:
    for name in ("_sd", "..."):
        content = event()
        content["data"][name] = "x"
        with pytest.raises(InvalidMessage) as caught:
            sign_bytes(as_bytes(content), KEY, by_field=True)
        assert caught.value.faults[0].code == "not-signable"


# Views


def test_a_view_is_verified_and_says_what_in_it_is_the_broker_s_own() -> None:
    shown = view(
        signed(),
        "/data/parties/*/name",
        "/data/equipment/*/seals/1",
        tokens=("/data/identifiers/*/value", "/data/goods/*/hs", "/data/equipment/*/seals/0"),
    )
    found = verify(as_bytes(shown), RING, at=NOW)
    assert set(found.unsigned) == {
        "/subject",
        "/data/identifiers/0/value",
        "/data/goods/0/hs",
        "/data/equipment/0/seals/0",
    }
    assert found.event["data"]["equipment"] == [{"number": "E1", "seals": ["SEAL-33"]}]
    assert found.event["id"] == "s1"
    assert "withheld" in shown
    assert "withheld" not in found.event
    assert "subject" not in found.event


def test_a_view_of_a_message_signed_as_a_whole_has_no_signature_and_says_so() -> None:
    shown = view(signed(by_field=False), "/data/parties/*/name")
    assert not shown.keys() & {"signature", "digests", "disclosures"}
    assert "/signature" in shown["withheld"].split()
    with pytest.raises(InvalidMessage, match="over the whole"):
        verify(as_bytes(shown), RING, at=NOW)


def test_nothing_that_is_withheld_is_left_in_what_carries_the_signature() -> None:
    good = signed(event() | {"subject": "QUOKKA TRADING 7"})
    whole = dict(zip(map(str, places(good)), good["disclosures"].split(SEPARATOR), strict=True))
    shown = view(good, "/data/parties", tokens=("/data/goods/0/item",))
    left = shown["disclosures"].split(SEPARATOR)
    gone = [path for path, one in whole.items() if one not in left]
    assert len(gone) + len(left) == len(whole)
    assert any("parties" in path for path in gone)
    assert "('subject',)" in gone
    assert not [path for path in whole if "parties" in path and path not in gone]
    texts = [decoded(one).decode() for one in left]
    assert not [text for text in texts if "uokka" in text.lower() or "parties" in text]


@given(data=st.data())
def test_any_view_is_verified_and_shows_nothing_that_is_neither_signed_nor_named_as_the_broker_s(
    data: st.DataObject,
) -> None:
    content = event() | {"subject": "QUOKKA TRADING 7", "note": "seal SEAL-22 of Quokka Trading"}
    good = signed(content)
    pointers = ["".join(f"/{step}" for step in path) for path in places(content) if path[0] == "data"]
    some = st.lists(st.sampled_from(pointers), max_size=4)
    withhold, tokens = data.draw(some), data.draw(some)
    if not withhold and not tokens:
        return
    shown = view(good, *withhold, tokens=tuple(tokens))
    found = verify(as_bytes(shown), RING, at=NOW)
    for pointer in found.unsigned:
        put(shown, pointer, None)

    def without(value: Any) -> Any:
        """Leave out what is the broker's own, and what then is empty."""
        if isinstance(value, dict):
            left = {name: kept for name, inner in value.items() if (kept := without(inner)) is not None}
            return left or None
        if isinstance(value, list):
            return [kept for inner in value if (kept := without(inner)) is not None] or None
        return value

    names = ("signature", "digests", "disclosures", "withheld")
    assert without({n: v for n, v in shown.items() if n not in names}) == without(found.event)


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        (lambda v: v.update(note="added"), "not-signed", "/note"),
        (lambda v: v["data"].update(place="KRPUS"), "not-signed", "/data/place"),
        (lambda v: v["data"]["goods"][0].update(origin="CN"), "not-signed", "/data/goods/0/origin"),
        (lambda v: v["data"]["goods"][0].update(item=True), "not-signed", "/data/goods/0/item"),
        (lambda v: v["data"]["goods"].append({"item": 3}), "not-signed", "/data/goods/2/item"),
        (lambda v: v["data"]["goods"].pop(), "not-shown", "/data/goods"),
        (lambda v: v["data"]["goods"].reverse(), "not-signed", "/data/goods/0/item"),
        (lambda v: v["data"].pop("place"), "not-shown", "/data/place"),
        (lambda v: v.pop("time"), "not-shown", "/time"),
        (lambda v: v.update(tlp="CLEAR"), "not-signed", "/tlp"),
        (lambda v: v.update(type="shipment.released"), "not-signed", "/type"),
        (lambda v: v.pop("withheld"), "not-signed", "/data/identifiers/0/value"),
        (lambda v: v.pop("disclosures"), "not-signed", "/id"),
    ],
)
def test_a_view_that_was_changed_on_its_way_is_refused_at_the_place(
    change: Callable[[dict[str, Any]], Any], code: str, place: str
) -> None:
    shown = view(signed(event() | {"subject": "other"}), "/data/parties", tokens=("/data/identifiers/*/value",))
    assert isinstance(verify(as_bytes(shown), RING, at=NOW), Verified)
    change(shown)
    assert unverified(shown) == (code, place)


def disclosure(*parts: Any) -> str:
    return encoded(json.dumps(["s" * 22, *parts]).encode())


def digest(one: str) -> str:
    return encoded(hashlib.sha256(one.encode()).digest())


A, B, ELEMENT = disclosure("a", 1), disclosure("a", 2), disclosure("x")


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({"_sd": [digest(A)]}, [A, A]),
        ({"_sd": [digest(A), digest(A)]}, [A]),
        ({"_sd": [digest(A)], "b": {"_sd": [digest(A)]}}, [A]),
        ({"_sd": [digest(A), digest(B)]}, [A, B]),
        ({"_sd": [digest(A)], "a": 0}, [A]),
        ({"_sd": []}, [A]),
        ({"_sd": digest(A)}, [B]),
        ({"_sd": [1]}, []),
        ({"_sd": [{"_sd": []}]}, []),
        ({"_sd": None}, []),
        ({"_sd": [digest(ELEMENT)]}, [ELEMENT]),
        ({"l": [{"...": digest(A)}]}, [A]),
        ({"l": [{"...": 1}]}, []),
        ({"l": [{"...": digest(ELEMENT)}, {"...": digest(ELEMENT)}]}, [ELEMENT]),
        ({"_sd": [digest(disclosure("_sd", 1))]}, [disclosure("_sd", 1)]),
        ({"_sd": [digest(disclosure("...", 1))]}, [disclosure("...", 1)]),
        ({"_sd": [digest(disclosure("signature", 1))]}, [disclosure("signature", 1)]),
        ({"_sd": [digest(disclosure("withheld", 1))]}, [disclosure("withheld", 1)]),
        ({"_sd": [digest(disclosure(1, 1))]}, [disclosure(1, 1)]),
        ({"_sd": [digest(disclosure())]}, [disclosure()]),
        ({"_sd": [digest(encoded(b"{}"))]}, [encoded(b"{}")]),
        ({"_sd": [digest(encoded(b"[[],1,2]"))]}, [encoded(b"[[],1,2]")]),
        ({"_sd": [digest("")]}, ["", ""]),
        ({"_sd_alg": "md5"}, []),
        ({"_sd_alg": None}, []),
    ],
)
def test_digests_and_disclosures_that_do_not_go_together_are_refused(
    payload: dict[str, Any], disclosures: list[str]
) -> None:
    whole = json.dumps({"_sd_alg": "sha-256"} | payload).encode()
    with pytest.raises(InvalidMessage) as caught:
        disclosed(whole, SEPARATOR.join(disclosures))
    assert caught.value.faults[0].pointer in ("/digests", "/disclosures")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"signature":' + b"[" * 100_000,
        b'{"a": 1, "a": 2}',
        b'{"n": ' + b"9" * 10_000 + b"}",
        b"\xff\xfe",
        b'{"signature": "a..b", "digests": {}, "source": {}}',
        b'{"signature": null, "withheld": 5}',
    ],
)
def test_what_is_no_event_is_refused_and_not_stumbled_over(body: bytes) -> None:
    assert unverified(body)[0] in ("not-an-event", "signature-form", "unsigned", "key-term")
    assert faults(body)


def test_hostile_counts_and_depths_cost_no_more_than_their_bytes() -> None:
    nested = '{"_sd_alg":"sha-256","data":' + "[" * 100_000 + "]" * 100_000 + "}"
    many = [disclosure("a", n) for n in range(15_000)]
    flat = canonical({"_sd_alg": "sha-256", "_sd": [digest(one) for one in many]})
    chain, inner = [], "x"
    for _ in range(3_000):
        chain.append(disclosure("a", {"_sd": [inner]}))
        inner = digest(chain[-1])
    chained = canonical({"_sd_alg": "sha-256", "_sd": [inner]})
    for payload, disclosures in ((nested.encode(), []), (flat, many), (chained, chain), (flat, ["A"] * 500_000)):
        content = event() | {
            "signature": signatures.jws(KEY, payload, signatures.TYPE_BY_FIELD),
            "digests": encoded(payload),
            "disclosures": SEPARATOR.join(disclosures),
        }
        began = time.process_time()
        assert faults(content)
        unverified(content)
        assert time.process_time() - began < 2


# Others' programs


def test_an_independent_reader_of_sd_jwt_verifies_the_message_and_its_view() -> None:
    good, jwk = signed(), JWK(kty="OKP", crv="Ed25519", x=KEY.public)
    for shown in (good, view(good, "/data/parties", "/data/goods/*/origin", tokens=("/data/goods/*/hs",))):
        header, _, signature = shown["signature"].partition("..")
        token = f"{header}.{shown['digests']}.{signature}~{shown['disclosures']}~"
        found = SDJWTVerifier(token, lambda *_: jwk).get_verified_payload()
        mine = verify(as_bytes(shown), RING, at=NOW)
        found.pop("_sd_alg", None)
        assert found == mine.event


# Files of keys


def test_a_private_key_is_read_as_it_was_written_and_only_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key.jwk"
    KEY.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (SigningKey.read(path).id, SigningKey.read(path).public) == (KEY.id, KEY.public)
    assert encoded(bytes(range(32))) not in repr(KEY) + str(vars(public(KEY)))


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'"d"', b'{"d": 1}', b'{"kid":"a","kty":"OKP","crv":"Ed25519","d":"U0VDUkVU"}', b"\xff"],
)
def test_what_is_no_private_key_is_refused_without_a_word_of_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.jwk"
    path.write_bytes(content)
    with pytest.raises(NotFound) as caught:
        SigningKey.read(path)
    assert "U0VDUkVU" not in str(caught.value)
    with pytest.raises(NotFound):
        SigningKey.read(tmp_path / "none")


def test_a_recipient_reads_the_keys_out_of_the_agencies_entries(tmp_path: Path) -> None:
    path = tmp_path / "cbm.toml"
    entry = f'[[agency]]\nid = "{CUSTOMS}"\nname = "c"\n[[agency.key]]\nid = "2026-1"\npublic = "{KEY.public}"\n'
    path.write_text(f'{entry}[[agency]]\nid = "kr.border"\n')
    assert verify(as_bytes(signed()), Keyring.read(path), at=NOW).sender == CUSTOMS
    assert unverified(signed(), Keyring({})) == ("unknown-key", "/signature")
    for text in ("", "agency = 5", entry.replace(KEY.public, "short"), entry + "private = 1\n", "[[agency]]\nkey = 3"):
        path.write_text(text)
        with pytest.raises(ConfigError):
            Keyring.read(path)
    with pytest.raises(ConfigError):
        Keyring.read(tmp_path / "none")


def test_an_adapter_signs_only_with_a_key_that_the_broker_knows_as_its_agency_s(tmp_path: Path) -> None:
    entry: dict[str, Any] = {"agency": CUSTOMS, "inbox": "in", "outbox": "out"}
    KEY.write(tmp_path / "key.jwk")
    for known, key in ((public(KEY), KEY.id), (public(OTHER), None), (public(SigningKey("x", bytes(32))), None)):
        content = {"agency": [NETWORK["agency"][0] | {"key": [known]}]}
        settings = Settings.model_validate(content | {"adapter": [entry | {"signing_key": tmp_path / "key.jwk"}]})
        if key is None:
            with pytest.raises(ConfigError, match="is the public half"):
                _signing_key(settings, settings.adapter[0])
        else:
            found = _signing_key(settings, settings.adapter[0])
            assert found is not None
            assert found.id == key
    assert _signing_key(settings, Adapter.model_validate(entry)) is None


def test_the_moment_may_be_what_is_withheld() -> None:
    content = event()
    content["time"] = content["data"]["occurred"]
    shown = view(signed(content), "/data/occurred")
    assert "time" not in shown
    assert unverified(shown, at=None) == ("key-term", "/time")
    assert verify(as_bytes(shown), RING, at=NOW.astimezone(UTC)).unsigned == ()


def test_an_unsigned_message_is_said_to_be_so() -> None:
    assert unverified(shipment(CUSTOMS)) == ("unsigned", "/signature")


# What the document says

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "SIGNATURES.md").read_text()


def examples() -> list[dict[str, Any]]:
    """The JSON examples: the key, the event, it signed as a whole, by field, the payload, the view."""
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]


def test_the_values_in_the_document_are_those_that_the_code_makes(tmp_path: Path) -> None:
    texts = re.findall(r"```json\n(.*?)\n```", DOCUMENT, re.DOTALL)
    (tmp_path / "key").write_text(texts[0])
    key, body = SigningKey.read(tmp_path / "key"), texts[1].encode()
    assert f'"{key.public}"' in DOCUMENT
    assert sign_bytes(body, key).decode() == texts[2]
    assert sign_bytes(body, key, by_field=True).decode() == texts[3]
    assert decoded(examples()[3]["digests"]).decode() == texts[4]
    assert signatures.signed_bytes(examples()[1]).decode() in DOCUMENT
    first = examples()[3]["disclosures"].split(SEPARATOR)[0]
    assert f"`{first}`" in DOCUMENT
    assert digest(first) in DOCUMENT
    left = examples()[5]["disclosures"].split(SEPARATOR)
    for path, one in zip(places(examples()[1]), examples()[3]["disclosures"].split(SEPARATOR), strict=True):
        row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{''.join(f'/{s}' for s in path)}`"))
        assert decoded(one).decode()[:70] in row
        assert row.endswith("stays |" if one in left else "goes |")
    token_key = TokenKey(b"an example, no secret", "customs-to-border kr.border")
    patterns = [pointer_pattern("/data/parties/*/name")], [pointer_pattern("/data/identifiers/*/value")]
    made = redact(texts[3].encode(), *patterns, token_key)
    assert made is not None
    assert made.body.decode() == texts[5]


def test_a_recipient_with_the_document_s_own_program_verifies_the_view() -> None:
    (program,) = (text for text in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "def signed_part" in text)
    names: dict[str, Any] = {}
    exec(program, names)
    key, _, _, whole, _, shown = examples()
    ring = Keyring({CUSTOMS: [PublicKey(id=key["kid"], public=key["x"])]})
    for content, unsigned in ((whole, ()), (shown, ("/subject", "/data/identifiers/0/value"))):
        found = verify(as_bytes(content), ring)
        assert names["signed_part"](content, {key["kid"]: key["x"]}) == found.event
        assert found.unsigned == unsigned
    assert "Hanla" not in json.dumps(shown)
    changed = shown | {"digests": whole["signature"].partition("..")[2]}
    with pytest.raises(InvalidSignature):
        names["signed_part"](changed, {key["kid"]: key["x"]})


def test_every_code_in_the_document_is_one_that_is_given() -> None:
    table = set(re.findall(r"^\| `([a-z-]+)`(?:, `([a-z-]+)`)? \|", DOCUMENT, re.MULTILINE))
    told = {code for codes in table for code in codes if code}
    source = "".join(
        (Path(signatures.__file__).parent / name).read_text()
        for name in ("signatures.py", "disclosures.py", "decision.py")
    )
    given = set(re.findall(r'(?:unfit|Fault)\("([a-z-]+)"', source))
    assert told <= given
    assert {"unsigned", "signature-form", "unknown-key", "key-term", "bad-signature", "disclosures", "digests"} <= told
