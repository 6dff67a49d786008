"""No withheld or unshared value leaves: for any message, agreements and agency, in any byte delivered to it.

Values known to occur nowhere else are planted in a message and repeated in it in every disguise that counts
as the same. What an agency may see is found out here a second time, in the simplest way, and what the
broker would publish to it is searched without the help of the code that hides. `CBM_TEST_LEAK_EXAMPLES`
sets how many messages are tried.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.agreements import Agreements
from broker.decision import Arrival, Decision, decide, examine
from broker.keys import Keyring, PublicKey, SigningKey
from broker.ledger import Ledger
from broker.provision import Place
from broker.service import Broker, Publication
from broker.settings import Agreement, Limits, Settings
from broker.signatures import sign_bytes, signed_bytes, verify
from broker.views import MIN_HUNTED_CHARACTERS
from schemas.view import read
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, alert, as_bytes, shipment
from tests.unit.strategies import NOW

AGENCIES = (CUSTOMS, QUARANTINE, BORDER)
EXAMPLES = int(os.environ.get("CBM_TEST_LEAK_EXAMPLES", "300"))
LIMITS = Limits()
# A hundred examples a second, and three times that for a machine that is busy.
pytestmark = pytest.mark.timeout(600 + EXAMPLES * 3 // 100)
KEY = SigningKey("2026-1", bytes(range(32)))
PUBLIC = PublicKey(id=KEY.id, public=KEY.public)
# What carries a signature is looked into, not looked through: digests and salts are letters by chance.
CARRIERS = ("signature", "digests", "disclosures")

WORDS = ("quokka", "zephyr", "vortex", "fjord", "gizmo", "waltz")
NUMBERS = ("73919391", "86428642", "59735973")
LOCODES = ("KRZQX", "THJVX")
MOMENTS = tuple((NOW + timedelta(minutes=37 * n, seconds=11)).replace(microsecond=0) for n in (1, 2, 3))


@dataclass(frozen=True)
class Secret:
    """A planted value. What it is recognised by is a part of it that occurs nowhere else, in whatever disguise."""

    kind: str
    value: Any
    core: str | datetime


# Where a value of a kind can stand, with the pointers by which an agreement can name the place.
SLOTS: dict[str, dict[str, list[tuple[str, tuple[str, ...]]]]] = {
    "shipment": {
        "text": [
            ("/data/place/name", ("/data/place/name", "/data/place", "/data/place/*")),
            ("/data/place/facility", ("/data/place/facility", "/data/place")),
            ("/data/transport/means/value", ("/data/transport/means/value", "/data/transport/*", "/data/transport")),
            ("/data/transport/carrier", ("/data/transport/carrier", "/data/transport")),
            ("/data/parties/0/name", ("/data/parties/*/name", "/data/parties/0/name", "/data/parties/0")),
            ("/data/parties/1/address", ("/data/parties/*/address", "/data/parties", "/data/parties/*/*")),
            ("/data/goods/0/description", ("/data/goods/*/description", "/data/goods/*", "/data/goods/0")),
            ("/data/documents/0/id", ("/data/documents/*/id", "/data/documents/*", "/data/documents")),
            ("/data/decision/reason", ("/data/decision/reason", "/data/decision")),
            ("/data/identifiers/0/value", ("/data/identifiers/*/value", "/data/identifiers/*", "/data/identifiers")),
            ("/data/identifiers/0/issuer", ("/data/identifiers/*/issuer", "/data/identifiers/0")),
            ("/data/equipment/0/number", ("/data/equipment/*/number", "/data/equipment/0")),
            (
                "/data/equipment/0/seals/1",
                ("/data/equipment/*/seals/*", "/data/equipment/*/seals/1", "/data/equipment"),
            ),
        ],
        "word": [
            ("/data/parties/0/role", ("/data/parties/*/role", "/data/parties/*")),
            ("/data/decision/outcome", ("/data/decision/outcome", "/data/decision/*")),
        ],
        "number": [
            ("/data/goods/0/gross_mass_kg", ("/data/goods/*/gross_mass_kg", "/data/goods/*")),
            ("/data/goods/0/value/amount", ("/data/goods/*/value", "/data/goods/*/value/amount", "/data/goods")),
            ("/data/goods/1/packages", ("/data/goods/*/packages", "/data/goods/1")),
            ("/data/goods/1/hs", ("/data/goods/*/hs", "/data/goods/*/*")),
        ],
        "decimal": [("/data/documents/0/type", ("/data/documents/*/type", "/data/documents/*"))],
        "locode": [("/data/place/locode", ("/data/place/locode", "/data/place"))],
        "moment": [("/data/occurred", ("/data/occurred", "/data/*"))],
    },
    "alert": {
        "text": [
            ("/data/event", ("/data/event",)),
            ("/data/headline", ("/data/headline", "/data/*")),
            ("/data/contact", ("/data/contact",)),
            ("/data/references/0", ("/data/references", "/data/references/*")),
            ("/data/areas/0/area_desc", ("/data/areas/*/area_desc", "/data/areas")),
            ("/data/areas/0/geocode/0/value", ("/data/areas/*/geocode/*/value", "/data/areas/*/geocode")),
            ("/data/about/0/value", ("/data/about/*/value", "/data/about")),
            ("/data/profile/party/0", ("/data/profile/party", "/data/profile", "/data/profile/party/*")),
            ("/data/parameters/0/value", ("/data/parameters/*/value", "/data/parameters/*")),
            ("/data/translations/0/headline", ("/data/translations/*/headline", "/data/translations")),
        ],
        "number": [
            ("/data/areas/0/altitude", ("/data/areas/*/altitude", "/data/areas/*")),
            ("/data/profile/hs/0", ("/data/profile/hs", "/data/profile/hs/*")),
        ],
        "decimal": [("/data/web", ("/data/web",))],
        "locode": [("/data/place/locode", ("/data/place/locode", "/data/place"))],
        "moment": [("/data/onset", ("/data/onset",)), ("/data/effective", ("/data/effective",))],
    },
}
# Free texts that may repeat a value besides what stands there.
TEXTS = {
    "shipment": ["/data/goods/1/description", "/data/transport/voyage", "/data/documents/0/issuer", "/data/place/name"],
    "alert": ["/data/description", "/data/instruction", "/data/areas/1/area_desc", "/data/note"],
}


def full(source: str, family: str) -> dict[str, Any]:
    """A message in which every slot's surroundings are there."""
    if family == "alert":
        event = alert(source, time=NOW.isoformat())
        event["data"] |= {
            "areas": [{"area_desc": "Yard 4", "geocode": [{"value_name": "UN", "value": "1"}]}, {"area_desc": "Pier"}],
            "about": [{"scheme": "ucr", "value": "6KR1"}],
            "profile": {"hs": ["060290"], "origin": ["TH"], "party": ["a"]},
            "parameters": [{"value_name": "a", "value": "b"}],
            "translations": [{"language": "ko"}],
            "references": ["a"],
        }
    else:
        event = shipment(source, time=NOW.isoformat())
        event["data"] |= {
            "transport": {"mode": "1", "means": {"scheme": "imo", "value": "9"}},
            "parties": [{"role": "importer"}, {"role": "carrier", "name": "B"}],
            "goods": [
                {"item": 1, "hs": "060290", "origin": "TH", "value": {"amount": 1, "currency": "KRW"}},
                {"item": 2, "description": "roses"},
            ],
            "equipment": [{"number": "E1", "seals": ["S1", "S2"]}],
            "documents": [{"id": "D1"}],
            "decision": {"outcome": "held"},
            "occurred": (NOW - timedelta(hours=1)).isoformat(),
        }
    return event


def put(event: dict[str, Any], pointer: str, value: Any) -> None:
    *above, last = pointer.split("/")[1:]
    here: Any = event
    for step in above:
        here = here[int(step)] if isinstance(here, list) else here[step]
    if isinstance(here, list):
        here[int(last)] = value
    else:
        here[last] = value


def at(event: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        event = event.get(step) if isinstance(event, dict) else event[int(step)]
    return event


affixes = st.text(alphabet="Az9 ßİıéΣςø한글กЖ\"\\/'.-☂\U0001f6a2\u0301\u200b\u00a0", max_size=4)


@st.composite
def secrets(draw: st.DrawFn, kind: str, number: int) -> Secret:
    """A value of a kind; `number` keeps the values of one message apart."""
    if kind == "moment":
        moment = MOMENTS[number]
        return Secret(kind, moment.astimezone(timezone(timedelta(hours=9))).isoformat(), moment)
    if kind == "number":
        core = NUMBERS[number]
        return Secret(kind, draw(st.sampled_from([int(core), float(f"{core}.5"), float(core)])), core)
    if kind == "decimal":
        return Secret(kind, f"00{NUMBERS[number]}.50", NUMBERS[number])
    if kind == "locode":
        return Secret(kind, LOCODES[number % 2], LOCODES[number % 2].lower())
    core = WORDS[number]
    if kind == "word":
        return Secret(kind, core, core)
    written = draw(st.sampled_from([core, core.upper(), core.title()]))
    value = f"{draw(affixes)}{written}{draw(affixes)}".strip() or written
    return Secret(kind, value, core)


def wide(text: str) -> str:
    """In the full-width letters that Asian systems write."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


DISGUISES = {
    "as it is": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "blanks between": " ".join,
    "hyphens between": "-".join,
    "full width": wide,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "composed": lambda text: unicodedata.normalize("NFC", text),
    "accent lost": lambda text: "".join(c for c in unicodedata.normalize("NFD", text) if not 0x300 <= ord(c) < 0x370),
    "within a word": lambda text: f"X{text}9",
    "within a sentence": lambda text: f"see {text}, please",
}


@st.composite
def disguised(draw: st.DrawFn, secret: Secret) -> str:
    """The same value as a text may repeat it."""
    if isinstance(secret.core, datetime):
        moment = secret.core.astimezone(timezone(timedelta(hours=draw(st.integers(-12, 12)))))
        text = moment.isoformat(timespec=draw(st.sampled_from(["seconds", "milliseconds"])))
        return draw(st.sampled_from([text, f"at {text} sharp", text.replace("T", " ")]))
    if secret.kind == "decimal":
        core = str(secret.core)
        return draw(st.sampled_from([f"{core}.5", f"{core},50 KRW", f"{int(core):,}.500"]))
    if secret.kind == "number":
        exact = f"{secret.value:,}"
        forms = [exact, exact.replace(",", ""), exact.replace(",", " "), f"{secret.value}0 KRW", f"00{secret.value}"]
        forms.append(exact.replace(".", "#").replace(",", ".").replace("#", ","))
        return draw(st.sampled_from(forms))
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(DISGUISES)))
        text = DISGUISES[name](secret.value)
    return text


def attribute(text: str) -> str:
    """As it may stand in an attribute: no control characters, at most as long as an id."""
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))[:128] or "x"


@dataclass
class Case:
    """A message, agreements, what was planted where, and how its sender signs it."""

    event: dict[str, Any]
    agreements: list[Agreement]
    planted: dict[str, Secret]
    signed: Literal["not", "whole", "by field"] = "not"

    @property
    def body(self) -> bytes:
        """What its sender publishes."""
        body = as_bytes(self.event)
        return body if self.signed == "not" else sign_bytes(body, KEY, by_field=self.signed == "by field")

    def __repr__(self) -> str:
        shown = [
            {k: v for k, v in a.model_dump(mode="json", by_alias=True, exclude_defaults=True).items() if k not in _DULL}
            for a in self.agreements
        ]
        text = json.dumps({"event": self.event, "agreements": shown}, indent=1, ensure_ascii=False)
        return f"\n{text}\nplanted: {self.planted}, signed: {self.signed}"


_DULL = {"purpose", "legal_basis"}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any message with planted values, and any agreements about it."""
    family = draw(st.sampled_from(["shipment", "alert"]))
    event = full(CUSTOMS, family)
    planted: dict[str, Secret] = {}
    pointers: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(sorted(SLOTS[family])))
        slot, names = draw(st.sampled_from(SLOTS[family][kind]))
        secret = draw(secrets(kind, number))
        if slot in planted:
            continue
        if "/hs" in slot or "packages" in slot:
            secret = Secret(kind, int(secret.value), secret.core)
        put(event, slot, str(secret.value) if "/hs" in slot else secret.value)
        planted[slot] = secret
        pointers += names
        for _ in range(draw(st.integers(0, 2))):
            draw(repeated(event, family, secret, planted))
    if draw(st.booleans()):
        event["data"]["native"] = {"format": "edifact", "sha256": "ab" * 32, "size": 424242}
    event |= draw(st.sampled_from([{}, {"tlp": "CLEAR"}, {"tlp": "AMBER"}]))
    if draw(st.integers(0, 5)) == 5:
        event |= {"tlp": "RED"} | ({} if "recipients" in event else {"recipients": f"{QUARANTINE} {BORDER}"})
    agreements = [draw(agreement(number, sorted(set(pointers)))) for number in range(draw(st.integers(1, 3)))]
    return Case(event, agreements, planted, draw(st.sampled_from(["not", "whole", "by field"])))


@st.composite
def repeated(draw: st.DrawFn, event: dict[str, Any], family: str, secret: Secret, planted: dict[str, Secret]) -> None:
    """Repeat a planted value somewhere else in the message."""
    text = draw(disguised(secret))
    places = ["subject", "id", "correlationid", "causationid", "note", "text", "text"]
    bare = "".join(c for c in str(secret.value).lower() if c.isalnum())
    if secret.kind == "text":
        places += ["name", "name", "recipients", "exact subject"] if bare.isascii() else ["exact subject"]
    elif secret.kind == "number":
        # A rounded number is another number.
        places += ["number"] if secret.value % 1 else ["integer", "traceparent", "number"]
    elif secret.kind == "decimal":
        places += ["number", "number"]
    elif secret.kind == "moment":
        places = ["time", "time", "text", "note", "expires"]
    place = draw(st.sampled_from(places))
    if place == "text":
        pointer = draw(st.sampled_from([one for one in TEXTS[family] if one not in planted] or TEXTS[family]))
        if pointer not in planted:
            put(event, pointer, text[:512])
    elif place == "name":
        event[bare] = "1"
    elif place == "recipients":
        event["recipients"] = f"{QUARANTINE} kr.a{bare}"
    elif place == "integer":
        event["count"] = int(secret.core)  # type: ignore[arg-type]
    elif place == "number" and family == "shipment" and "/data/goods/0/gross_mass_kg" not in planted:
        event["data"]["goods"][0]["gross_mass_kg"] = float(secret.value)
    elif place == "traceparent":
        event["traceparent"] = f"00-{str(secret.core).rjust(32, 'c')}-{'d' * 16}-01"
    elif place in ("time", "expires"):
        event[place] = secret.core.astimezone(timezone(timedelta(hours=-5))).isoformat()  # type: ignore[union-attr]
    elif place == "exact subject":
        event["subject"] = attribute(str(secret.value))
    elif place != "number":
        event[place] = attribute(text)


@st.composite
def agreement(draw: st.DrawFn, number: int, pointers: list[str]) -> Agreement:
    """An agreement about what customs sends, that keeps some of the planted places to itself."""
    some = st.lists(st.sampled_from(pointers), max_size=2, unique=True).map(tuple) if pointers else st.just(())
    wheres: list[dict[str, Any] | None] = [None, None, {"origin": ["TH"]}, {"hs": ["06"]}, {"place": ["KR"]}]
    return Agreement.model_validate(
        {
            "id": f"a{number}",
            "from": (CUSTOMS,),
            "to": draw(st.sampled_from([(QUARANTINE,), (BORDER,), (QUARANTINE, BORDER)])),
            "types": draw(st.sampled_from([("*",), ("shipment.*",), ("alert.*",)])),
            "max_tlp": draw(st.sampled_from(["RED", "AMBER+STRICT", "AMBER"])),
            "withhold": draw(some),
            "pseudonymise": draw(some),
            "where": draw(st.sampled_from(wheres)),
            "purpose": "p",
            "legal_basis": "l",
        }
    )


def holds(one: Agreement, event: dict[str, Any]) -> bool:
    data = event["data"]
    if one.where is None:
        return True
    items = data.get("goods") or [{"hs": h, "origin": "TH"} for h in data.get("profile", {}).get("hs", [])]
    if one.where.origin:
        return any(item.get("origin") == "TH" for item in items) or "profile" in data
    if one.where.hs:
        return any(item.get("hs", "").startswith("06") for item in items)
    place = data.get("place", {})
    return (place.get("country") or place.get("locode", "")[:2]) == "KR"


def applying(case: Case, agency: str) -> list[Agreement]:
    """The agreements by which an agency sees the message; none: it may not."""
    event, family = case.event, case.event["type"].split(".")[0]
    marking = event.get("tlp", "AMBER+STRICT")
    order = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
    if "recipients" in event and agency not in event["recipients"].split():
        return []
    found = [one for one in case.agreements if agency in one.to and {"*", f"{family}.*"} & set(one.types)]
    found = [one for one in found if holds(one, event)]
    return found if all(order.index(marking) <= order.index(one.max_tlp) for one in found) else []


def covers(pattern: str, pointer: str) -> bool:
    """Whether a pointer with `*` names a place or something above it."""
    wanted, given = pattern.split("/"), pointer.split("/")
    return len(wanted) <= len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=False))


def hidden_from(case: Case, agreements: list[Agreement]) -> list[Secret]:
    patterns = [p for one in agreements for p in (*one.withhold, *one.pseudonymise)]
    return [secret for slot, secret in case.planted.items() if any(covers(p, slot) for p in patterns)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """A broker that is never run: asked what it would publish."""
    folder = tmp_path_factory.mktemp("leaks")
    network = Settings.model_validate(NETWORK | {"node": {"name": "n", "state_dir": Path(folder)}})
    return Broker(network, Ledger.open(network), Place("amqp://cbm:secret@localhost/cbm", None))


def reaching(broker: Broker, publications: list[Publication], agency: str) -> list[Publication]:
    """What RabbitMQ routes to an agency's standing queues; its feed gets a copy of just that."""
    address = broker._addresses.of(agency)
    found = [one for one in publications if one.exchange == "deliver" and address in one.properties.headers["BCC"]]
    assert found == [one for one in publications if agency in one.recipients]
    for one in found:
        plain = vars(one.properties) | {"headers": {k: v for k, v in one.properties.headers.items() if k != "BCC"}}
        assert vars(one.copied) == plain
    return found


def texts_in(value: Any) -> Iterator[str]:
    """All names, strings and numbers within something."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)
    elif value is not None:
        yield str(value)


def delivered(one: Publication) -> list[str]:
    """Every text of a delivery as its recipient gets it: RabbitMQ takes the blind copies out."""
    properties = {name: value for name, value in vars(one.properties).items() if name != "headers"}
    headers = {name: value for name, value in one.properties.headers.items() if name != "BCC"}
    event, raw = json.loads(one.body), one.body.decode()
    carriers = {name: event.pop(name) for name in CARRIERS if name in event}
    for value in carriers.values():
        raw = raw.replace(value, "")
    return [one.key, raw, *texts_in(event), *texts_in(properties), *texts_in(headers), *carried(carriers)]


def carried(carriers: dict[str, str]) -> Iterator[str]:
    """Every text within what carries a signature; salts and digests have the form in which nothing else can hide."""
    if "digests" in carriers:
        yield from texts_in(bare(json.loads(unpacked(carriers["digests"]))))
    for one in carriers["disclosures"].split("~") if "disclosures" in carriers else ():
        salt, *rest = json.loads(unpacked(one))
        assert re.fullmatch(r"[\w-]{22}", salt)
        yield from texts_in(bare(rest))


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def bare(value: Any) -> Any:
    """The same without digests."""
    if isinstance(value, dict):
        digests = [*value.get("_sd", ()), *([value["..."]] if "..." in value else ())]
        assert all(re.fullmatch(r"[\w-]{43}", digest) for digest in digests)
        return {name: bare(inner) for name, inner in value.items() if name not in ("_sd", "...")}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


def confirms(one: Publication, case: Case, hidden: list[Secret]) -> set[str]:
    """What of a delivery tells who has guessed all that is withheld that the guess is right, without its salts.

    The guess is the true message: whoever knows all of it but one number of few digits tries them all.
    """
    text, confirmed = one.body.decode(), set()
    event = json.loads(text)
    guessed = {slot: secret.value for slot, secret in case.planted.items() if secret in hidden}
    key = Ed25519PublicKey.from_public_bytes(unpacked(KEY.public))
    header, _, signature = event.get("signature", "").partition("..")
    wholes = [case.body, as_bytes(case.event), rfc8785.dumps(case.event), signed_bytes(json.loads(case.body))]
    values = [form for value in guessed.values() for form in (rfc8785.dumps(value), str(value).encode())]
    for guess in (*wholes, *values):
        with contextlib.suppress(InvalidSignature):
            packed = base64.urlsafe_b64encode(guess).rstrip(b"=").decode()
            key.verify(unpacked(signature), f"{header}.{packed}".encode())
            confirmed.add("signature")
        for name in ("sha256", "sha512", "sha1", "md5"):
            digest = hashlib.new(name, guess)
            forms = (digest.hexdigest(), base64.b64encode(digest.digest()).decode().rstrip("="))
            confirmed |= {name for form in forms if form in text or form.translate(_URL) in text}
    salts = [json.loads(unpacked(d))[0] for d in event.get("disclosures", "").split("~") if d]
    payload = unpacked(event.get("digests", "")).decode()
    everything = payload + "".join(unpacked(d).decode() for d in event.get("disclosures", "").split("~"))
    for slot, value in guessed.items():
        *_, name = slot.split("/")
        for salt in salts:
            for parts in ([salt, name, value], [salt, value]):
                packed = base64.urlsafe_b64encode(rfc8785.dumps(parts)).rstrip(b"=")
                if base64.urlsafe_b64encode(hashlib.sha256(packed).digest()).rstrip(b"=").decode() in everything:
                    confirmed.add(f"a salt of {slot}")
    return confirmed


_URL = str.maketrans("+/", "-_")


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)")


def shows(text: str, secret: Secret) -> bool:
    """Whether a text shows a secret, in whatever disguise."""
    if isinstance(secret.core, datetime):
        return any(datetime.fromisoformat(found) == secret.core for found in _MOMENT.findall(text))
    bare = unicodedata.normalize("NFKD", text).casefold()
    return secret.core in "".join(c for c in bare if c.isascii() and c.isalnum())


def published(broker: Broker, case: Case) -> tuple[Decision, list[Publication], Publication]:
    agencies = [one.model_copy(update={"key": (PUBLIC,)}) for one in broker._settings.agency]
    compiled = Agreements(agencies, case.agreements, b"secret of the node")
    arrival = Arrival(case.body, CUSTOMS, case.event["type"].split(".")[0], NOW)
    decision = decide(examine(arrival, compiled, LIMITS, NOW), None, compiled, NOW)
    return decision, broker.publications(decision), broker.receipt(decision, NOW)


@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_no_withheld_or_unshared_value_is_in_any_byte_delivered_to_an_agency(broker: Broker, case: Case) -> None:
    decision, publications, receipt = published(broker, case)
    assert decision.disposition in ("accepted", "undeliverable"), decision.faults
    for agency in (QUARANTINE, BORDER):
        allowed = applying(case, agency)
        got = reaching(broker, publications, agency)
        assert len(got) == bool(allowed)
        for one in got:
            hidden, seen = hidden_from(case, allowed), delivered(one)
            for secret in hidden:
                assert [text for text in seen if shows(text, secret)] == []
            if hidden:
                assert "ab" * 32 not in one.body.decode()
                assert "424242" not in "".join(seen)
                assert confirms(one, case, hidden) == set()
                read(one.body)
                assert_the_rest_is_verified(case, one)
            else:
                assert_only_named_fields_are_missing(case, allowed, one)
    # Who else receives it is told to nobody, and the receipt to nobody but the sender.
    for one in publications:
        others = {broker._addresses.of(agency) for agency in AGENCIES} | {QUARANTINE, BORDER}
        told = " ".join(text for text in delivered(one) if text not in case.event.values())
        named = case.event.get("recipients", "").split()
        assert not [word for word in others if word in told and word not in named]
    assert reaching(broker, [receipt], CUSTOMS) == [receipt]
    assert reaching(broker, [receipt], QUARANTINE) == reaching(broker, [receipt], BORDER) == []


def assert_only_named_fields_are_missing(case: Case, allowed: list[Agreement], one: Publication) -> None:
    """Where no planted value is hidden, whatever is not named is all there; and where nothing is, the bytes."""
    patterns = [p for agreement in allowed for p in (*agreement.withhold, *agreement.pseudonymise)]
    if not patterns:
        assert one.body == case.body
    content = json.loads(one.body)
    for pointer in content.get("withheld", "").split():
        if pointer == "/signature" and case.signed == "whole":
            continue
        assert pointer == "/data/native" or any(covers(p, pointer) for p in patterns), pointer


def assert_the_rest_is_verified(case: Case, one: Publication) -> None:
    """Signed by field, a view is verified by its recipient; signed as a whole, it has no signature any more."""
    ring = Keyring({CUSTOMS: [PUBLIC]})
    if case.signed == "by field":
        assert verify(one.body, ring, at=NOW).sender == CUSTOMS
    else:
        assert not json.loads(one.body).keys() & set(CARRIERS)


def test_a_guess_is_seen_to_be_confirmed_where_a_whole_signature_or_a_salt_is_left(broker: Broker) -> None:
    event = full(CUSTOMS, "shipment")
    put(event, "/data/parties/0/name", "Quokka")
    planted = {"/data/parties/0/name": Secret("text", "Quokka", "quokka")}
    whole = Agreement.model_validate(
        {"id": "a", "from": (CUSTOMS,), "to": (BORDER,), "types": ("*",), "purpose": "p", "legal_basis": "l"}
    )
    told = []
    for signed in ("whole", "by field"):
        case = Case(event, [whole], planted, signed)  # type: ignore[arg-type]
        (one,) = reaching(broker, published(broker, case)[1], BORDER)
        told.append(confirms(one, case, [*planted.values()]))
    assert told == [{"signature"}, {"a salt of /data/parties/0/name"}]


def test_what_is_planted_is_long_enough_to_be_hunted_and_is_seen_where_nothing_is_hidden(broker: Broker) -> None:
    assert min(map(len, (*WORDS, *NUMBERS, *LOCODES))) >= MIN_HUNTED_CHARACTERS
    event = full(CUSTOMS, "shipment")
    put(event, "/data/parties/0/name", "Quokka")
    whole = Agreement.model_validate(
        {"id": "a", "from": (CUSTOMS,), "to": (BORDER,), "types": ("*",), "purpose": "p", "legal_basis": "l"}
    )
    _, publications, _ = published(broker, Case(event, [whole], {}))
    (one,) = reaching(broker, publications, BORDER)
    assert any(shows(text, Secret("text", "Quokka", "quokka")) for text in delivered(one))


@settings(max_examples=max(EXAMPLES // 10, 50))
@given(case=cases())
def test_two_recipients_of_tokens_cannot_compare_them(broker: Broker, case: Case) -> None:
    pointers = sorted(case.planted)
    both = Agreement.model_validate(
        {"id": "a", "from": (CUSTOMS,), "to": (QUARANTINE, BORDER), "types": ("*",), "purpose": "p", "legal_basis": "l"}
        | {"pseudonymise": pointers}
    )
    case.event.pop("recipients", None)
    case.event.pop("tlp", None)
    _, publications, _ = published(broker, Case(case.event, [both], case.planted))
    tokens = [
        {word for one in reaching(broker, publications, agency) for word in re.findall("PSN-[A-Z2-7]+", str(one.body))}
        for agency in (QUARANTINE, BORDER)
    ]
    assert len(tokens[0]) == len(tokens[1]) > 0
    assert not tokens[0] & tokens[1]
