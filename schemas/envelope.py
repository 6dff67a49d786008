"""The envelope: CloudEvents 1.0 in structured JSON, and the one function that reads it from bytes.

Owns the attributes of the wire contract, the closed lists of types, and the translation of every
fault to a JSON pointer. Never decides who may send or see a message, and never alters its bytes.
"""

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, TypeAdapter, ValidationError

from schemas.alert import INFO_REQUIRED, Alert
from schemas.base import RFC3339_PATTERN, Maybe, Timestamp
from schemas.codes import AGENCY_PATTERN
from schemas.errors import Fault, InvalidMessage
from schemas.receipt import Receipt
from schemas.shipment import Shipment

CONTENT_TYPE = "application/cloudevents+json"
MAX_BYTES = 1024 * 1024
# More faults than this in one message are noise; the last one then says that there are more.
MAX_FAULTS = 100
# A name in the message can be as long as the message; the fault's place is cut, so that a receipt stays small.
_POINTER_CHARACTERS = 256

SHIPMENT_SCHEMA = "urn:cbm:shipment:1"
ALERT_SCHEMA = "urn:cbm:alert:1"
RECEIPT_SCHEMA = "urn:cbm:receipt:1"

ShipmentType = Literal[
    "shipment.declared",
    "shipment.amended",
    "shipment.withdrawn",
    "shipment.rejected",
    "shipment.documents-required",
    "shipment.selected-for-scan",
    "shipment.selected-for-inspection",
    "shipment.inspected",
    "shipment.held",
    "shipment.released",
    "shipment.refused",
    "shipment.arrived",
    "shipment.departed",
    "shipment.gated-in",
    "shipment.gated-out",
    "shipment.loaded",
    "shipment.discharged",
    "shipment.resealed",
    "shipment.exited",
]
AlertType = Literal["alert.issued", "alert.updated", "alert.cancelled", "alert.acknowledged"]
ReceiptType = Literal[
    "receipt.accepted",
    "receipt.duplicate",
    "receipt.conflict",
    "receipt.refused",
    "receipt.expired",
    "receipt.undeliverable",
]


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST). WHITE of version 1 is read as CLEAR and never written."""

    RED = "RED"
    AMBER_STRICT = "AMBER+STRICT"
    AMBER = "AMBER"
    GREEN = "GREEN"
    CLEAR = "CLEAR"

    @property
    def sensitivity(self) -> int:
        """4 for RED down to 0 for CLEAR."""
        return _SENSITIVITY[self]


_SENSITIVITY = {Tlp.RED: 4, Tlp.AMBER_STRICT: 3, Tlp.AMBER: 2, Tlp.GREEN: 1, Tlp.CLEAR: 0}
# What an unmarked message is: shared with the recipients that agreements name, and no further.
DEFAULT_TLP = Tlp.AMBER_STRICT
TlpText = Literal["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", "WHITE"]

TRACEPARENT_PATTERN = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
SIGNATURE_PATTERN = r"^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+$"
_Key = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Envelope(BaseModel):
    """CloudEvents 1.0 attributes and cbm's extensions. Unknown attributes are kept in `model_extra`."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="allow", hide_input_in_errors=True, allow_inf_nan=False, protected_namespaces=()
    )

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="the publishing agency's id; of a receipt, `urn:cbm:node:` and the node's name"
    )
    type: str
    subject: _Key = Field(description="the consignment's or alert's key")
    time: Timestamp
    datacontenttype: Literal["application/json"]
    dataschema: str
    data: Any
    tlp: Maybe[TlpText] = Field(None, description="Traffic Light Protocol 2.0; absent: AMBER+STRICT")
    recipients: Maybe[
        Annotated[str, StringConstraints(max_length=8192, pattern=r"^([a-z0-9.-]+( [a-z0-9.-]+)*)?$")]
    ] = Field(None, description="agency ids with one blank between; required for RED; empty means nobody")
    expires: Maybe[Timestamp] = None
    sequence: Maybe[Annotated[int, Field(ge=0, le=2**31 - 1)]] = Field(None, description="rises per subject")
    correlationid: Maybe[_Key] = None
    causationid: Maybe[_Key] = None
    traceparent: Maybe[Annotated[str, StringConstraints(pattern=TRACEPARENT_PATTERN)]] = Field(
        None, description="W3C Trace Context"
    )
    test: Maybe[bool] = Field(None, description="true for training and tests: nobody acts on it")
    signature: Maybe[Annotated[str, StringConstraints(max_length=512, pattern=SIGNATURE_PATTERN)]] = Field(
        None, description="the sender's detached JWS (RFC 7515, appendix F), Ed25519; see docs/SIGNATURES.md"
    )
    digests: Maybe[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]] = Field(
        None, description="of a signature by field: the payload of the JWS, base64url"
    )
    disclosures: Maybe[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(~[A-Za-z0-9_-]+)*$")]] = Field(
        None, description="of a signature by field: what the digests stand for (RFC 9901), `~` between"
    )
    withheld: Maybe[str] = Field(None, description="set by the broker: JSON pointers of what is missing")
    receivedtime: Maybe[Timestamp] = Field(None, description="set by the broker")

    @property
    def marking(self) -> Tlp:
        """The TLP marking in force, with the default and the old WHITE resolved."""
        if self.tlp is None:
            return DEFAULT_TLP
        return Tlp.CLEAR if self.tlp == "WHITE" else Tlp(self.tlp)

    @property
    def audience(self) -> frozenset[str] | None:
        """The agencies the sender named; None where it named none, empty where it named nobody."""
        return None if self.recipients is None else frozenset(self.recipients.split())

    def to_bytes(self) -> bytes:
        """Write the message as it goes over the wire: compact JSON, absent fields left out."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


class ShipmentMessage(Envelope):
    """A shipment event."""

    type: ShipmentType
    dataschema: Literal["urn:cbm:shipment:1"]
    data: Shipment


class AlertMessage(Envelope):
    """An alert."""

    type: AlertType
    dataschema: Literal["urn:cbm:alert:1"]
    data: Alert


class ReceiptMessage(Envelope):
    """A receipt, written by the broker only."""

    type: ReceiptType
    dataschema: Literal["urn:cbm:receipt:1"]
    data: Receipt


Message = ShipmentMessage | AlertMessage | ReceiptMessage
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Discriminator("dataschema")])
_BY_SCHEMA: dict[str, type[ShipmentMessage] | type[AlertMessage] | type[ReceiptMessage]] = {
    SHIPMENT_SCHEMA: ShipmentMessage,
    ALERT_SCHEMA: AlertMessage,
    RECEIPT_SCHEMA: ReceiptMessage,
}
_BY_FAMILY: dict[str, type[Envelope]] = {
    "shipment": ShipmentMessage,
    "alert": AlertMessage,
    "receipt": ReceiptMessage,
}
_BUILT_IN = frozenset(Envelope.model_fields)
_EXTENSION_NAME = re.compile(r"[a-z0-9]{1,64}")
# CloudEvents 1.0, section "Type System", String; PostgreSQL stores no U+0000.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_AGENCY = re.compile(AGENCY_PATTERN)


def parse(body: bytes, *, max_bytes: int = MAX_BYTES) -> Message:
    """Read one message from its bytes.

    Raises:
        InvalidMessage: with every fault, each at its JSON pointer; nothing of the content is repeated.
    """
    if len(body) > max_bytes:
        raise InvalidMessage([Fault("too-large", "", f"{len(body)} bytes; a message has at most {max_bytes}")])
    try:
        message = _MESSAGE.validate_json(body)
    except ValidationError as error:
        raise InvalidMessage(_faults_of(body, error)) from None
    faults = _further_faults(message)
    faults += _duplicate_names(body)
    if faults:
        raise InvalidMessage(faults[:MAX_FAULTS])
    return message


def build(**attributes: Any) -> Message:
    """Make a message in Python, choosing the class by `dataschema`, and check it as `parse` would.

    Raises:
        InvalidMessage: with every fault.
    """
    try:
        message = _MESSAGE.validate_python(attributes)
    except ValidationError as error:
        raise InvalidMessage(faults_from(error, tagged=True)) from None
    if faults := _further_faults(message):
        raise InvalidMessage(faults)
    return message


def family_of(type_: str) -> str:
    """Return `shipment`, `alert` or `receipt`: the part of a type before its first dot."""
    return type_.partition(".")[0]


def is_text(value: str) -> bool:
    """Tell whether a string may stand in an attribute: no control characters, nothing that is no character."""
    return _NO_TEXT.search(value) is None


def _further_faults(message: Message) -> list[Fault]:
    """The rules that tie attributes together, beyond the form of each."""
    faults = [
        Fault("control-character", f"/{name}", "an attribute of a CloudEvent has no control characters")
        for name in ("id", "source", "subject", "correlationid", "causationid")
        if not is_text(getattr(message, name) or "")
    ]
    if message.tlp == "RED" and message.recipients is None:
        faults.append(Fault("recipients-required", "/recipients", "a message marked RED names its recipients"))
    if message.recipients:
        faults.extend(
            Fault("agency-id", "/recipients", "each recipient is an agency id: country, dot, name, in lower case")
            for name in sorted(set(message.recipients.split()))
            if _AGENCY.match(name) is None
        )
    if message.model_extra:
        faults.extend(_extension_faults(message.model_extra))
    if isinstance(message, AlertMessage) and message.type in ("alert.issued", "alert.updated"):
        faults.extend(
            Fault("missing", f"/data/{name}", f"CAP 1.2 asks for it in an alert that is {message.type[6:]}")
            for name in INFO_REQUIRED
            if getattr(message.data, name) in (None, [])
        )
    return faults


def _extension_faults(extra: dict[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    for name, value in extra.items():
        place = "/" + _escape(name)
        if _EXTENSION_NAME.fullmatch(name) is None:
            faults.append(
                Fault("attribute-name", place[:128], "a CloudEvents attribute has lower-case letters and digits only")
            )
        elif isinstance(value, str) and not is_text(value):
            faults.append(Fault("control-character", place, "an attribute of a CloudEvent has no control characters"))
        elif name == "data_base64" or not isinstance(value, str | bool | int):
            faults.append(Fault("attribute-value", place, "an extension attribute is a string, integer or boolean"))
    return faults


def _duplicate_names(body: bytes) -> list[Fault]:
    """Refuse an object with a name twice (RFC 8259, section 4).

    Receivers' parsers differ in which of the two they keep, so what was checked here would not be what
    is read there. The bytes go out as they came in, hence the check; it costs as much as the validation
    itself, and counting names instead was measured to save too little to be worth its subtlety.
    """
    try:
        _ONCE.decode(body.decode())
    except _TwiceError:
        return _all_duplicate_names(body)
    return []


class _TwiceError(Exception):
    pass


def _at_most_once(items: list[tuple[str, Any]]) -> None:
    if len(dict(items)) != len(items):
        raise _TwiceError


# Made once: the decoder is a fifth of what the check costs.
_ONCE = json.JSONDecoder(object_pairs_hook=_at_most_once)


def _all_duplicate_names(body: bytes) -> list[Fault]:
    duplicated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> None:
        if len(dict(items)) != len(items):
            names = [name for name, _ in items]
            duplicated.extend(sorted({name for name in names if names.count(name) > 1}))

    json.loads(body, object_pairs_hook=pairs)
    return [
        Fault("duplicate-name", "", f"the name {_escape(name)[:64]!r} stands twice in one object")
        for name in duplicated[:MAX_FAULTS]
    ]


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown-field",
    "json_invalid": "not-json",
    "literal_error": "not-in-list",
    "enum": "not-in-list",
    "union_tag_invalid": "unknown-dataschema",
    "union_tag_not_found": "missing",
    "string_pattern_mismatch": "form",
    "string_too_short": "too-short",
    "string_too_long": "too-long",
    "too_short": "too-short",
    "too_long": "too-long",
    "model_attributes_type": "type",
    "model_type": "type",
}


def faults_from(error: ValidationError, *, tagged: bool, prefix: str = "") -> list[Fault]:
    """Turn pydantic's findings into faults; `tagged` drops the union's tag that pydantic puts first in a place."""
    faults: dict[tuple[str, str], Fault] = {}
    for found in error.errors(include_input=False, include_url=False, include_context=True):
        place = found["loc"][1:] if tagged and found["loc"] and found["loc"][0] in _BY_SCHEMA else found["loc"]
        kind = found["type"]
        code = _CODES.get(kind) or ("type" if kind.endswith("_type") else kind.replace("_", "-"))
        # A union of forms adds its own words to the place; a pointer has only names and numbers of the message.
        *above, last = place or ("",)
        parts = [part for part in above if not _is_union_word(part)]
        if place and (kind == "extra_forbidden" or not _is_union_word(last)):
            parts.append(last)
        pointer = (prefix + "".join("/" + _escape(str(part)) for part in parts))[:_POINTER_CHARACTERS]
        text = found["msg"] if code != "form" else _form_in_words(found["ctx"]["pattern"])
        if code == "unknown-field":
            text = "this field is not part of the schema"
        faults.setdefault((code, pointer), Fault(code, pointer, text))
    result = list(faults.values())
    if len(result) > MAX_FAULTS:
        more = Fault("more-faults", "", f"and {len(result) - MAX_FAULTS + 1} faults more")
        result = [*result[: MAX_FAULTS - 1], more]
    return result


def _form_in_words(pattern: str) -> str:
    if pattern == RFC3339_PATTERN:
        return "is not a date-time of RFC 3339: year-month-dayThour:minute:second and an offset or Z"
    return f"does not have the form {pattern}"


_UNION_WORD = re.compile(r"(list|constrained-str|literal|function-|str)\b.*")


def _is_union_word(part: object) -> bool:
    return isinstance(part, str) and _UNION_WORD.fullmatch(part) is not None


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _faults_of(body: bytes, first: ValidationError) -> list[Fault]:
    """Collect every fault of a message that is not valid; slower than `parse`, and only then needed."""
    kinds = {found["type"] for found in first.errors(include_input=False, include_url=False, include_context=False)}
    if "json_invalid" in kinds:
        return [_not_json(body, first)]
    if not kinds & {"union_tag_invalid", "union_tag_not_found"}:
        return faults_from(first, tagged=True)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return [_not_json(body, first)]
    if not isinstance(content, dict):
        return [Fault("not-an-event", "", "a CloudEvent is a JSON object")]
    given = content.get("dataschema")
    if given is None and "dataschema" not in content:
        schema = Fault("missing", "/dataschema", "Field required")
    else:
        schema = Fault("unknown-dataschema", "/dataschema", f"known are {', '.join(_BY_SCHEMA)}")
    if "specversion" not in content and "type" not in content and "source" not in content:
        return [Fault("not-an-event", "", "not a CloudEvent: it has neither specversion nor type nor source"), schema]
    family = family_of(content["type"]) if isinstance(content.get("type"), str) else ""
    model = _BY_FAMILY.get(family, Envelope)
    try:
        model.model_validate_json(body)
    except ValidationError as error:
        rest = [f for f in faults_from(error, tagged=False) if f.pointer != "/dataschema"]
    else:
        rest = []
    return [*rest, schema]


def _not_json(body: bytes, error: ValidationError) -> Fault:
    text = error.errors(include_input=False, include_url=False)[0]["msg"]
    if body[:3] == b"\xef\xbb\xbf":
        text = "begins with a byte-order mark; JSON on the wire is UTF-8 without one (RFC 8259, section 8.1)"
    elif body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = "is UTF-16; JSON on the wire is UTF-8 (RFC 8259, section 8.1)"
    return Fault("not-json", "", text)


def utc_now() -> datetime:
    """The clock, for the shells around the pure parts."""
    return datetime.now(UTC)
