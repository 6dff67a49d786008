"""The decision over one message: a pure function of its bytes, the authenticated agency, the agreements,
what the ledger knows, and the time passed in.

Owns dispositions, views, feed keys and receipts. No I/O, no clock of its own; never settles anything.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

import orjson

from broker import signatures
from broker.agreements import Agreements, Entitlement, split
from broker.settings import Limits
from broker.views import Redaction, TokenKey
from schemas.codes import container_warning, has_container_form, ucr_warning
from schemas.envelope import (
    CONTENT_TYPE,
    RECEIPT_SCHEMA,
    AlertMessage,
    Message,
    ReceiptMessage,
    ShipmentMessage,
    family_of,
    is_text,
    parse,
)
from schemas.errors import Fault, InvalidMessage
from schemas.receipt import Disposition

RECEIPT_SOURCE = "urn:cbm:node:"
_RECEIPT_IDS = uuid.UUID("0c7f1c0e-0b52-5d2b-8e0a-9a3b6c6f8f11")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came in, and from whom RabbitMQ says. `agency` follows from the queue that only it can fill."""

    body: bytes
    agency: str
    lane: str
    received: datetime
    redelivered: bool = False
    message_id: str | None = None
    type: str | None = None
    app_id: str | None = None
    user_id: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    resent: bool = False
    """Sent again by an operator out of quarantine, where it no longer stands."""


@dataclass(frozen=True, slots=True)
class Examined:
    """An arrival after all that can be said without the ledger."""

    arrival: Arrival
    digest: str
    id: str
    type: str | None
    message: Message | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What duplicates are known by: never the id alone, or one agency could suppress another's message."""
        return (self.arrival.agency, self.id)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the ledger holds of the same agency and id."""

    digest: str
    disposition: Disposition
    recipients: int


@dataclass(frozen=True, slots=True)
class View:
    """A message as one set of recipients may see it, published once for all of them."""

    recipients: tuple[str, ...]
    body: bytes
    key: str
    """The feed key, which tells no more than the view does."""
    id: str
    correlation_id: str | None = None
    traceparent: str | None = None
    """These three mirror what stands in the body, and so tell no more either."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one arrival."""

    examined: Examined
    disposition: Disposition
    views: tuple[View, ...] = ()
    recipients: tuple[tuple[str, str], ...] = ()
    """(agency, ids of the agreements that allow it)"""
    disclosed: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    repeated: bool = False
    """Already recorded before a crash: only the receipt is sent again."""
    recipient_count: int = 0

    @property
    def quarantined(self) -> bool:
        """Whatever reached nobody stands in quarantine, so that nothing confirmed is lost."""
        return self.disposition not in ("accepted", "duplicate") and not self.repeated

    @property
    def answered(self) -> bool:
        """Whether its sender gets a receipt.

        A receipt of a broker's that comes back gets none: by RabbitMQ's dead lettering an agency can lead its
        receipts into its own exchange, and the two would answer each other for ever.
        """
        message = self.examined.message
        return not (isinstance(message, ReceiptMessage) and message.source.startswith(RECEIPT_SOURCE))


def examine(arrival: Arrival, agreements: Agreements, limits: Limits, now: datetime) -> Examined:
    """Read an arrival and find every fault that needs no ledger. Never raises."""
    digest = hashlib.sha256(arrival.body).hexdigest()
    message: Message | None = None
    faults: list[Fault] = []
    warnings: list[Fault] = []
    try:
        message = parse(arrival.body, max_bytes=limits.message_bytes)
    except InvalidMessage as error:
        faults.extend(error.faults)
    faults += _transfer_faults(arrival, warnings)
    if message is None:
        id_, type_ = _readable_id(arrival, digest)
        return Examined(arrival, digest, id_, type_, None, tuple(faults), tuple(warnings))
    faults += _identity_faults(arrival, message, agreements)
    faults += _time_faults(message, limits, now, warnings)
    faults += _signature_faults(arrival, message, agreements)
    if isinstance(message, ShipmentMessage):
        warnings += _odd_identifiers(message, arrival.body)
    return Examined(arrival, digest, message.id, message.type, message, tuple(faults), tuple(warnings))


def _readable_id(arrival: Arrival, digest: str) -> tuple[str, str | None]:
    """Find by what name the sender will know a message that is no valid one."""
    try:
        content = json.loads(arrival.body)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        id_, type_ = content.get("id"), content.get("type")
        if _is_name(id_, 128):
            return id_, type_ if _is_name(type_, 64) else None
    if _is_name(arrival.message_id, 128):
        return arrival.message_id, None
    return f"sha256:{digest}", None


def _is_name(value: object, limit: int) -> TypeGuard[str]:
    """Whether it can name a message in a receipt and in the ledger: what json.loads reads may be no text at all."""
    return isinstance(value, str) and 0 < len(value) <= limit and is_text(value)


def _transfer_faults(arrival: Arrival, warnings: list[Fault]) -> list[Fault]:
    """The AMQP properties mirror the envelope; what is absent is not missed, what contradicts is refused."""
    faults: list[Fault] = []
    given = (arrival.content_type or "").partition(";")[0].strip().lower()
    if given == "application/json":
        warnings.append(Fault("content-type", "", f"the content type of a message is {CONTENT_TYPE}"))
    elif given and given != CONTENT_TYPE:
        faults.append(Fault("content-type", "", f"the content type of a message is {CONTENT_TYPE}"))
    if (arrival.content_encoding or "utf-8").lower() not in ("utf-8", "utf8", "identity"):
        faults.append(Fault("content-encoding", "", "a message is sent as it is: no content encoding but utf-8"))
    if arrival.user_id not in (None, arrival.agency):
        faults.append(Fault("user-id", "", "the AMQP user_id is not the agency that owns this exchange"))
    return faults


def _identity_faults(arrival: Arrival, message: Message, agreements: Agreements) -> list[Fault]:
    faults: list[Fault] = []
    if message.source != arrival.agency:
        text = f"the source is the publishing agency, {arrival.agency}; who publishes is who RabbitMQ authenticated"
        faults.append(Fault("wrong-source", "/source", text))
    for name, mirror, own in (
        ("message_id", arrival.message_id, message.id),
        ("type", arrival.type, message.type),
        ("app_id", arrival.app_id, message.source),
    ):
        if mirror is not None and mirror != own:
            attribute = {"message_id": "id", "app_id": "source"}.get(name, name)
            text = f"the AMQP property {name} says otherwise"
            faults.append(Fault("property-mismatch", f"/{attribute}", text))
    if isinstance(message, ReceiptMessage):
        faults.append(Fault("broker-only-type", "/type", "receipts are written by the broker only"))
    else:
        if family_of(message.type) != arrival.lane:
            text = f"published with the routing key {arrival.lane}; this type goes with {family_of(message.type)}"
            faults.append(Fault("wrong-lane", "/type", text))
        if not agreements.may_publish(arrival.agency, message.type):
            faults.append(Fault("not-entitled", "/type", "this agency's entry does not let it publish this type"))
    for name in ("withheld", "receivedtime"):
        if getattr(message, name) is not None:
            faults.append(Fault("broker-only-attribute", f"/{name}", "set by the broker only"))
    return faults


def _time_faults(message: Message, limits: Limits, now: datetime, warnings: list[Fault]) -> list[Fault]:
    ahead_s = (message.time - now).total_seconds()
    if ahead_s > limits.time_ahead_s:
        text = f"more than {limits.time_ahead_s:.0f} s in the future: the sender's clock or zone is wrong"
        return [Fault("time-ahead", "/time", text)]
    if -ahead_s > limits.time_behind_s:
        warnings.append(Fault("time-behind", "/time", f"more than {limits.time_behind_s:.0f} s in the past"))
    return []


def _signature_faults(arrival: Arrival, message: Message, agreements: Agreements) -> tuple[Fault, ...]:
    """A signature is optional unless the agency's entry says otherwise; one that is there must be good."""
    if message.signature is None and message.digests is None and message.disclosures is None:
        if not agreements.must_sign(arrival.agency):
            return ()
        return (Fault("unsigned", signatures.PLACE, "is missing: this agency's entry asks for one"),)
    # Keys are the authenticated agency's own: whose the message says it is has no say in it.
    return signatures.check(arrival.body, agreements.keys_of(arrival.agency), arrival.received.astimezone(UTC).date())


_NORMAL = re.compile(r"[^\sa-z]+")


def _odd_identifiers(message: ShipmentMessage, body: bytes) -> list[Fault]:
    """Check digits and forms are warnings: real data breaks them."""
    warnings: list[Fault] = []
    for index, identifier in enumerate(message.data.identifiers):
        odd = None
        if identifier.scheme == "container":
            odd = container_warning(identifier.value)
        elif identifier.scheme == "ucr":
            odd = ucr_warning(identifier.value)
        if odd is not None:
            warnings.append(Fault("odd-identifier", f"/data/identifiers/{index}/value", odd))
        if identifier.value.encode() not in body:
            text = "identifiers are written in upper case without blanks; it was read as if it were"
            warnings.append(Fault("not-normalised", f"/data/identifiers/{index}/value", text))
    for index, equipment in enumerate(message.data.equipment or ()):
        if has_container_form(equipment.number) and (odd := container_warning(equipment.number)):
            warnings.append(Fault("odd-identifier", f"/data/equipment/{index}/number", odd))
    return warnings


def decide(examined: Examined, earlier: Earlier | None, agreements: Agreements, now: datetime) -> Decision:
    """Decide over one message.

    `earlier` is what the ledger (or the work under way) holds of the same agency and id: the accepted
    message if there is one; for a delivery that RabbitMQ marks as a repeat, also any other end of the
    same bytes.
    """
    message, warnings = examined.message, examined.warnings
    if earlier is not None and earlier.digest == examined.digest:
        if examined.arrival.redelivered and (earlier.disposition == "accepted" or not examined.arrival.resent):
            # Recorded before a crash, not yet acknowledged: its sender may not have heard.
            return Decision(
                examined,
                earlier.disposition,
                faults=examined.faults,
                warnings=warnings,
                repeated=True,
                recipient_count=earlier.recipients,
            )
        if earlier.disposition == "accepted":
            return Decision(examined, "duplicate", warnings=warnings)
    if message is None or examined.faults:
        return Decision(examined, "refused", faults=examined.faults, warnings=warnings)
    if earlier is not None and earlier.disposition == "accepted":
        text = "a message of this source and id was accepted before with other content; a correction has a new id"
        return Decision(examined, "conflict", faults=(Fault("conflict", "/id", text),), warnings=warnings)
    if message.expires is not None and message.expires <= now:
        text = "it had expired when it was decided"
        return Decision(examined, "expired", faults=(Fault("expired", "/expires", text),), warnings=warnings)
    allowed = agreements.entitlements(message, now.date())
    if not allowed:
        text = "no agreement lets anybody receive it; cbm explain tells for each agency why"
        return Decision(examined, "undeliverable", faults=(Fault("no-recipient", "", text),), warnings=warnings)
    return Decision(
        examined,
        "accepted",
        views=views_of(message, examined.arrival.body, allowed, agreements.token_secret),
        recipients=tuple((agency, entitlement.ids) for agency, entitlement in allowed.items()),
        disclosed=tuple(agency for agency, entitlement in allowed.items() if entitlement.disclosed),
        warnings=warnings,
        recipient_count=len(allowed),
    )


def views_of(
    message: Message, body: bytes, allowed: Mapping[str, Entitlement], token_secret: bytes
) -> tuple[View, ...]:
    """Make the views: recipients with the same entitlement share one, tokens are each recipient's own."""
    whole: list[str] = []
    partial: dict[tuple[frozenset[str], frozenset[str]], dict[str, list[str]]] = {}
    for agency, entitlement in allowed.items():
        if entitlement.is_whole:
            whole.append(agency)
        else:
            # Tokens of withholding alone are in a view that several share; no other view has the same.
            alone = f"{message.source} {' '.join(sorted(entitlement.withhold))}"
            scope = f"{entitlement.ids} {agency}" if entitlement.pseudonymise else alone
            kept = partial.setdefault((entitlement.withhold, entitlement.pseudonymise), {})
            kept.setdefault(scope, []).append(agency)
    views: list[View] = []
    for (withhold, pseudonymise), by_scope in partial.items():
        redaction = Redaction.of(body, split(withhold), split(pseudonymise))
        if redaction is None:
            whole += [agency for agencies in by_scope.values() for agency in agencies]
            continue
        key, traceparent = redacted_key(redaction.event), redaction.event.get("traceparent")
        for scope, agencies in by_scope.items():
            made = redaction.view(TokenKey(token_secret, scope))
            views.append(View(tuple(agencies), made.body, key, made.id, made.correlation_id, traceparent))
    if whole:
        again = (message.correlationid, message.traceparent)
        views.append(View(tuple(whole), body, feed_key(message), message.id, *again))
    return tuple(views)


def feed_key(message: Message) -> str:
    """Return the key under which feeds carry a message; `-` stands for what is unknown."""
    if isinstance(message, ReceiptMessage):
        return message.type
    place = message.data.place
    locode = place.locode if place is not None else None
    country = place.country if place is not None else None
    where = f"{country or (locode[:2] if locode else '-')}.{locode or '-'}"
    if isinstance(message, AlertMessage):
        return f"{message.type}.{(message.data.severity or '-').lower()}.{where}"
    return f"{message.type}.{where}"


_KEY_WORD = re.compile(r"[A-Za-z0-9]{1,16}")


def redacted_key(event: dict[str, Any]) -> str:
    """Return the feed key of a view from what is left in it; what was replaced by a token is unknown."""
    data = event.get("data") or {}
    place = data.get("place") or {}

    def word(value: Any) -> str | None:
        return value if isinstance(value, str) and _KEY_WORD.fullmatch(value) else None

    locode, country = word(place.get("locode")), word(place.get("country"))
    where = f"{country or (locode[:2] if locode else '-')}.{locode or '-'}"
    if family_of(event["type"]) == "alert":
        return f"{event['type']}.{(word(data.get('severity')) or '-').lower()}.{where}"
    return f"{event['type']}.{where}"


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """A receipt ready to be published to the sender's feed."""

    id: str
    type: str
    body: bytes
    traceparent: str | None


def receipt_of(decision: Decision, node: str, now: datetime) -> ReceiptNote:
    """Write the receipt of a decision. Its id follows from the decision, so a repeated one is known as such.

    Built as plain JSON: it is made for every message, and a test reads it back through the schema.
    """
    examined, disposition = decision.examined, decision.disposition
    message = examined.message
    id_ = str(uuid.uuid5(_RECEIPT_IDS, f"{examined.key} {examined.digest} {disposition}"))
    type_ = f"receipt.{disposition}"
    data: dict[str, Any] = {"disposition": disposition, "of": {"id": examined.id}}
    if examined.type is not None:
        data["of"]["type"] = examined.type
    if decision.faults:
        data["faults"] = [fault.as_json() for fault in decision.faults]
    if decision.warnings:
        data["warnings"] = [fault.as_json() for fault in decision.warnings]
    if disposition == "accepted":
        data["recipients"] = decision.recipient_count
    if decision.disclosed:
        data["recipient_ids"] = decision.disclosed
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": f"{RECEIPT_SOURCE}{node}",
        "type": type_,
        "subject": message.subject if message is not None else examined.id,
        "time": now,
        "datacontenttype": "application/json",
        "dataschema": RECEIPT_SCHEMA,
        "correlationid": message.correlationid if message is not None and message.correlationid else examined.id,
        "causationid": examined.id,
    }
    traceparent = message.traceparent if message is not None else None
    if traceparent is not None:
        event["traceparent"] = traceparent
    if message is not None and message.test is not None:
        event["test"] = message.test
    event["data"] = data
    return ReceiptNote(id_, type_, orjson.dumps(event, option=orjson.OPT_UTC_Z), traceparent)
