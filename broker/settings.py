"""The configuration: one TOML file and `CBM_…` variables over it, read once, immutable.

Owns every key, every limit with its default and its reason, and the check that no key is misspelt.
Never reads a secret from the file, and nothing else in cbm reads the environment.
"""

import difflib
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from broker.conditions import Where, senseless
from broker.credentials import with_absolute_files
from broker.keys import PublicKey
from broker.views import pointer_pattern
from schemas.alert import Alert
from schemas.codes import AgencyId
from schemas.envelope import AlertType, ReceiptType, ShipmentType, Tlp
from schemas.errors import ConfigError, Fault
from schemas.shipment import Shipment
from schemas.view import knows

TYPES: tuple[str, ...] = typing.get_args(ShipmentType) + typing.get_args(AlertType)
RECEIPT_TYPES: tuple[str, ...] = typing.get_args(ReceiptType)
# Variables that are no configuration keys: where the file is, a client's own address, and the tests' own.
_OTHER_VARIABLES = {
    "CBM_CONFIG": "the path of cbm.toml",
    "CBM_URL": "an agency's AMQP URL, for clients away from the broker's machine",
}
_FOREIGN_PREFIXES = ("CBM_TEST_", "CBM_CORPUS")

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TypePattern = Annotated[str, StringConstraints(pattern=r"^(\*|(shipment|alert)\.(\*|[a-z-]+))$")]
# A field below the body, by JSON pointer (RFC 6901); a segment may be `*`.
FieldPointer = Annotated[str, StringConstraints(pattern=r"^/data(/[^/]+)+$", max_length=256)]
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,29}$")]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Retention = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[YMDhms]$")]


class Section(BaseModel):
    """A table of cbm.toml: unknown keys refused, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class Node(Section):
    """[node]"""

    name: Name = Field("cbm", description="this node's name, in receipts and logs")
    state_dir: Path = Field(Path("var"), description="ledger, private RabbitMQ, credentials, adapter folders")


class RabbitMQ(Section):
    """[rabbitmq]"""

    url: str = Field("", description="amqp:// or amqps://; empty: a private node is started under state_dir")
    password: SecretStr | None = Field(None, description="from CBM_RABBITMQ__PASSWORD only")
    password_file: Path | None = Field(None, description="a file that holds the password of the url's user")
    management_url: str = Field(
        "", description="empty: the url's host, port 15672, with amqps:// https and 15671; `none`: not to be used"
    )
    vhost: str = "cbm"
    server: str = Field("", description="the rabbitmq-server program of a private node; empty: found by itself")
    tls: bool = Field(False, description="a private node listens with TLS too, for client certificates")
    heartbeat_s: Annotated[int, Field(ge=5, le=600)] = Field(15, description="below 5 s a busy loop loses connections")


class Ledger(Section):
    """[ledger]"""

    url: str = Field("", description="empty: SQLite under state_dir; else postgresql+psycopg://…")
    password: SecretStr | None = Field(None, description="from CBM_LEDGER__PASSWORD only")


class Logs(Section):
    """[logs]"""

    level: Literal["debug", "info", "warning", "error"] = "info"
    form: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, JSON elsewhere")


class Limits(Section):
    """[limits]: every limit cbm keeps, with its reason."""

    message_bytes: Count = Field(1024 * 1024, le=1024 * 1024, description="the contract's 1 MiB; may be lowered")
    batch_messages: Count = Field(128, le=10_000, description="decided, published and recorded together")
    prefetch_messages: Count = Field(512, le=10_000, description="of one lane in the broker's memory at most")
    batches_in_flight: Count = Field(4, le=64, description="so that deciding goes on while confirms are awaited")
    ingress_messages: Count = Field(100_000, description="then RabbitMQ refuses this agency's publishes: back-pressure")
    ingress_bytes: Count = Field(2 * 1024**3, description="the same by size, so that one agency cannot fill the disk")
    inbox_messages: Count = Field(1_000_000, description="then the oldest are dropped; they are still in the log")
    inbox_bytes: Count = Field(4 * 1024**3, description="the same by size")
    subscription_messages: Count = Field(100_000, description="of an agency's own sub.* queues, oldest dropped")
    subscription_bytes: Count = Field(1024**3, description="the same by size")
    quarantine_messages: Count = Field(1_000_000, description="then refusing waits until somebody repairs")
    quarantine_bytes: Count = Field(16 * 1024**3, description="the same by size")
    quarantine_hourly_messages: Count = Field(
        20_000, description="of one agency; beyond it that agency's lanes wait, so that it cannot fill what is shared"
    )
    quarantine_hourly_bytes: Count = Field(1024**3, description="the same by size")
    log_age: Retention = Field("30D", description="how far back an agency can replay its log")
    log_bytes: Count = Field(4 * 1024**3, description="the same by size, for each agency")
    journal_age: Retention = Field("90D", description="how long accepted messages are kept as they came")
    journal_bytes: Count = Field(16 * 1024**3, description="the same by size")
    confirm_timeout_s: Seconds = Field(10, description="no confirm for so long while some are open: the link is lost")
    retry_min_s: Seconds = Field(0.2, description="first wait after a fault of RabbitMQ or the ledger")
    retry_max_s: Seconds = Field(10, description="waits double up to this, with jitter")
    drain_s: Seconds = Field(10, description="how long a stop waits for what is under way")
    time_ahead_s: Seconds = Field(86_400, description="a message from further in the future is refused: wrong clock")
    time_behind_s: Seconds = Field(31_536_000, description="a message older than this is taken with a warning")
    connections_per_agency: Count = Field(20, description="an agency in a reconnect loop must not use up all")
    channels_per_agency: Count = Field(200, description="the same for channels")
    stream_bytes: Count = Field(1024**3, description="the same of formats that are read in pieces: CUSCAR, EPCIS")
    queues_per_agency: Count = Field(
        1000, description="of its own, and as many exchanges; more are deleted, unused first"
    )
    document_bytes: Count = Field(20 * 1024 * 1024, description="larger documents are refused by the adapters")


class Agency(Section):
    """[[agency]]"""

    id: AgencyId
    name: str
    sector: Literal["customs", "quarantine", "border-security", "other"]
    publishes: tuple[TypePattern, ...] = Field((), description="types it may publish: `shipment.*`, `alert.issued` …")
    certificate_only: bool = Field(False, description="it has no password: its client certificate alone lets it in")
    signatures: Literal["optional", "required"] = Field("optional", description="required: unsigned is refused")
    key: tuple[PublicKey, ...] = Field((), description="by these its signatures are verified; old ones stay")


class Agreement(Section):
    """[[agreement]]: who may see what of whom, why and until when."""

    id: Name
    from_: tuple[AgencyId | GroupName, ...] = Field(alias="from", min_length=1, description="agencies or groups")
    to: tuple[AgencyId | GroupName, ...] = Field(min_length=1, description="agencies or groups")
    types: tuple[TypePattern, ...] = Field(min_length=1)
    max_tlp: Tlp = Field(Tlp.AMBER_STRICT, description="the most sensitive marking it carries; RED must be said")
    purpose: Annotated[str, StringConstraints(min_length=1)]
    legal_basis: Annotated[str, StringConstraints(min_length=1)]
    valid_from: date | None = Field(None, description="first day, UTC")
    valid_until: date | None = Field(None, description="last day, UTC")
    disclose: bool = Field(False, description="the sender's receipts may name these recipients")
    where: Where | None = Field(None, description="conditions on the message; all must hold, unknown is no match")
    withhold: tuple[FieldPointer, ...] = Field((), description="fields that these recipients do not get")
    pseudonymise: tuple[FieldPointer, ...] = Field(
        (), description="fields of which each recipient gets a token: it can join its own records, and nothing else"
    )


class Http(Section):
    """`http` of [[adapter]]: documents by POST, beside the watched folder."""

    listen: str = Field(description="address and port, as 127.0.0.1:8480; beyond this machine only with a certificate")
    certificate: Path | None = Field(None, description="PEM, with its chain; from here")
    key: Path | None = Field(None, description="its private key, PEM; from here")
    wait_s: Seconds = Field(30, description="how long an answer waits for the receipts")
    requests: Count = Field(32, description="documents under way at once; further ones are told to come again")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; (\"\", -1) where `listen` is neither."""
        host, _, port = self.listen.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        return (host, int(port)) if host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 65536 else ("", -1)


class Adapter(Section):
    """[[adapter]]"""

    agency: AgencyId
    reads: tuple[str, ...] = ()
    writes: str = Field("cloudevents", description="a message it cannot express is written as a CloudEvent")
    inbox: Path = Field(description="under state_dir; documents appear here by atomic rename")
    outbox: Path = Field(description="under state_dir")
    zone: str = Field("UTC", description="IANA zone of times that name none")
    profile: str = Field("neutral", description="what codes mean: one of cbm's own, or a folder (with a /) from here")
    poll_s: Seconds = Field(0.5, description="how often the inbox is looked at")
    http: Http | None = Field(None, description="takes documents by POST, too")
    acknowledges: bool = Field(False, description="answers each EDIFACT interchange by a CONTRL in the outbox")
    receipts: str = Field("", description="a format in which receipts go to the outbox too, as edifact-aperak")
    signing_key: Path | None = Field(None, description="the private key with which it signs, beside cbm.toml")
    sign_by_field: bool = Field(False, description="so that views with parts withheld can be verified too")


class Settings(BaseSettings):
    """All of cbm.toml."""

    model_config = SettingsConfigDict(
        env_prefix="CBM_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    node: Node = Node()
    rabbitmq: RabbitMQ = RabbitMQ()
    ledger: Ledger = Ledger()
    logs: Logs = Logs()
    limits: Limits = Limits()
    agency: tuple[Agency, ...] = ()
    groups: dict[GroupName, tuple[AgencyId, ...]] = {}
    agreement: tuple[Agreement, ...] = ()
    adapter: tuple[Adapter, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands over the file, whose content is given as arguments."""
        return (env_settings, init_settings)

    def find_agency(self, id_: str) -> Agency | None:
        """Return the agency of that id, or None."""
        return next((agency for agency in self.agency if agency.id == id_), None)

    @property
    def state_dir(self) -> Path:
        """Where everything that lasts is kept."""
        return self.node.state_dir


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read cbm.toml and the environment.

    Relative paths become absolute: `state_dir` from the file's folder, adapter folders from `state_dir`.

    Raises:
        ConfigError: with every key at fault, its place, and the nearest known name of a misspelt one.
    """
    environment = os.environ if environment is None else environment
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError([Fault("no-file", str(path), "there is no such file; name one with --config")]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([Fault("not-toml", str(path), str(error))]) from None
    faults = _secrets_in_file(content) + _unknown_variables(environment)
    places = _add_agreements(content, path.parent, faults)
    settings: Settings | None = None
    found: list[Fault] = []
    try:
        settings = Settings(**content)
    except ValidationError as error:
        found = _faults_of(error)
    if settings is not None:
        found = contradictions(settings)
    faults += [_placed(fault, places) for fault in found]
    if faults or settings is None:
        raise ConfigError(faults)
    return _with_absolute_paths(_with_groups_spelt_out(settings), path.resolve().parent)


def _add_agreements(content: dict[str, Any], folder: Path, faults: list[Fault]) -> dict[int, str]:
    """Add what `agreements/*.toml` beside the file hold; returns where each agreement stands, by its number."""
    listed = content.get("agreement", [])
    if not isinstance(listed, list):
        return {}
    together, places = list(listed), {}
    for file in sorted((folder / "agreements").glob("*.toml")):
        name = f"agreements/{file.name}"
        try:
            further = tomllib.loads(file.read_bytes().decode())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            faults.append(Fault("not-toml", name, str(error)))
            continue
        faults += [
            Fault("unknown-key", f"{name}: {key}", "a file of agreements has [[agreement]] tables only")
            for key in further
            if key != "agreement"
        ]
        for index, agreement in enumerate(further.get("agreement", [])):
            places[len(together)] = f"{name}: agreement[{index}]"
            together.append(agreement)
    if together:
        content["agreement"] = together
    return places


def _placed(fault: Fault, places: Mapping[int, str]) -> Fault:
    """Name the file in which an agreement stands."""
    match = re.match(r"agreement\[(\d+)\]", fault.pointer)
    if match is None or int(match[1]) not in places:
        return fault
    return Fault(fault.code, places[int(match[1])] + fault.pointer[match.end() :], fault.detail)


def _with_groups_spelt_out(settings: Settings) -> Settings:
    def members(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one for name in names for one in settings.groups.get(name, (name,))))

    spelt = tuple(a.model_copy(update={"from_": members(a.from_), "to": members(a.to)}) for a in settings.agreement)
    return settings.model_copy(update={"agreement": spelt})


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    state = (folder / settings.node.state_dir).resolve()
    adapters = tuple(
        adapter.model_copy(
            update={
                "inbox": state / adapter.inbox,
                "outbox": state / adapter.outbox,
                "profile": str(folder / adapter.profile) if "/" in adapter.profile else adapter.profile,
                "http": _http_from(adapter.http, folder),
                "signing_key": None if adapter.signing_key is None else folder / adapter.signing_key,
            }
        )
        for adapter in settings.adapter
    )
    rabbitmq = settings.rabbitmq
    if rabbitmq.password_file is not None:
        rabbitmq = rabbitmq.model_copy(update={"password_file": folder / rabbitmq.password_file})
    if rabbitmq.url:
        rabbitmq = rabbitmq.model_copy(update={"url": with_absolute_files(rabbitmq.url, folder)})
    node = settings.node.model_copy(update={"state_dir": state})
    return settings.model_copy(update={"node": node, "adapter": adapters, "rabbitmq": rabbitmq})


def _http_from(http: Http | None, folder: Path) -> Http | None:
    if http is None or http.certificate is None or http.key is None:
        return http
    return http.model_copy(update={"certificate": folder / http.certificate, "key": folder / http.key})


def _secrets_in_file(content: dict[str, Any]) -> list[Fault]:
    """A password in the file would be copied, mailed and committed with it."""
    faults = []
    for table in ("rabbitmq", "ledger"):
        section = content.get(table)
        if not isinstance(section, dict):
            continue
        variable = f"CBM_{table.upper()}__PASSWORD"
        if "password" in section:
            faults.append(Fault("secret-in-file", f"{table}.password", f"give it as {variable}, not in the file"))
        try:
            secret = isinstance(section.get("url"), str) and urlsplit(section["url"]).password
        except ValueError:
            secret = None
        if secret:
            faults.append(
                Fault("secret-in-file", f"{table}.url", f"leave the password out of the file, give it as {variable}")
            )
    return faults


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model within an annotation such as `tuple[Agency, ...]` or `Node`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((m for a in typing.get_args(annotation) if (m := _model_of(a))), None)


def known_variables() -> dict[str, str]:
    """Return every CBM_ variable with what it sets."""
    known = dict(_OTHER_VARIABLES)
    for table, field in Settings.model_fields.items():
        model = _model_of(field.annotation)
        if model is not None and typing.get_origin(field.annotation) is None:
            for key, inner in model.model_fields.items():
                known[f"CBM_{table}__{key}".upper()] = inner.description or f"{table}.{key}"
    return known


def _unknown_variables(environment: Mapping[str, str]) -> list[Fault]:
    known = known_variables()
    return [
        Fault("unknown-variable", name, "no such variable" + _nearest(name, known))
        for name in sorted(environment)
        if name.startswith("CBM_") and name not in known and not name.startswith(_FOREIGN_PREFIXES)
    ]


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; the nearest known is {close[0]}" if close else f"; known are {', '.join(sorted(known))}"


def _faults_of(error: ValidationError) -> list[Fault]:
    faults = []
    for found in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in found["loc"])
        place = re.sub(r"\.(\d+)", r"[\1]", place)
        if found["type"] == "extra_forbidden":
            model: type[BaseModel] | None = Settings
            for part in found["loc"][:-1]:
                if isinstance(part, str) and model is not None:
                    model = _model_of(model.model_fields[part].annotation) if part in model.model_fields else None
            known = [f.alias or n for n, f in model.model_fields.items()] if model else []
            faults.append(Fault("unknown-key", place, "no such key" + _nearest(str(found["loc"][-1]), known)))
        else:
            faults.append(Fault(found["type"].replace("_", "-"), place, found["msg"]))
    return faults


def contradictions(settings: Settings) -> list[Fault]:
    """What is wrong between keys that are each well-formed."""
    known = {agency.id for agency in settings.agency}
    faults = _repeated("agency", [a.id for a in settings.agency])
    faults += _repeated("agreement", [a.id for a in settings.agreement])
    faults += _repeated("adapter", [a.agency for a in settings.adapter])
    if settings.rabbitmq.tls and settings.rabbitmq.url:
        text = "is for a private node; the RabbitMQ of rabbitmq.url has its own configuration, and amqps:// there"
        faults.append(Fault("no-private-node", "rabbitmq.tls", text))
    for index, agency in enumerate(settings.agency):
        faults += _unknown_types(f"agency[{index}].publishes", agency.publishes)
        if agency.certificate_only and not (settings.rabbitmq.tls or settings.rabbitmq.url):
            text = "nothing takes certificates: set rabbitmq.tls, or the url of a RabbitMQ that takes them"
            faults.append(Fault("no-way-in", f"agency[{index}].certificate_only", text))
        faults += _key_faults(f"agency[{index}]", agency)
    faults += _shared_keys(settings.agency)
    for group, members in settings.groups.items():
        faults += [
            Fault("unknown-agency", f"groups.{group}", f"there is no agency {id_}" + _nearest(id_, known))
            for id_ in members
            if id_ not in known
        ]
    for index, agreement in enumerate(settings.agreement):
        faults += _agreement_faults(f"agreement[{index}]", agreement, known | set(settings.groups))
    for index, adapter in enumerate(settings.adapter):
        place = f"adapter[{index}]"
        if adapter.agency not in known:
            text = f"there is no agency {adapter.agency}" + _nearest(adapter.agency, known)
            faults.append(Fault("unknown-agency", f"{place}.agency", text))
        try:
            ZoneInfo(adapter.zone)
        except (ValueError, KeyError, OSError):
            faults.append(Fault("unknown-zone", f"{place}.zone", "not an IANA time zone such as Asia/Seoul"))
        if adapter.sign_by_field and adapter.signing_key is None:
            faults.append(Fault("no-key", f"{place}.sign_by_field", "there is no signing_key to sign with"))
    return faults


def _key_faults(place: str, agency: Agency) -> list[Fault]:
    faults = _repeated(f"{place}.key", [key.id for key in agency.key])
    for index, key in enumerate(agency.key):
        if key.valid_from and key.valid_until and key.valid_from > key.valid_until:
            faults.append(Fault("never-valid", f"{place}.key[{index}].valid_until", "lies before valid_from"))
    if agency.signatures == "required" and not agency.key:
        text = f"no [[agency.key]] verifies them: all would be refused; cbm credentials {agency.id} --signing-key FILE"
        faults.append(Fault("no-key", f"{place}.signatures", text))
    return faults


def _shared_keys(agencies: tuple[Agency, ...]) -> list[Fault]:
    """The same key under two names would be good in one when it has ended in the other, or for two agencies."""
    faults: list[Fault] = []
    first: dict[str, str] = {}
    for index, agency in enumerate(agencies):
        for number, key in enumerate(agency.key):
            place = f"agency[{index}].key[{number}]"
            if key.public in first:
                faults.append(Fault("repeated", f"{place}.public", f"is the key of {first[key.public]} too"))
            first.setdefault(key.public, place)
    return faults


def _agreement_faults(place: str, agreement: Agreement, known: set[str]) -> list[Fault]:
    faults = [
        Fault("unknown-agency", f"{place}.{key}", f"there is no agency {id_}" + _nearest(id_, known))
        for key, ids in (("from", agreement.from_), ("to", agreement.to))
        for id_ in ids
        if id_ not in known
    ]
    faults += _unknown_types(f"{place}.types", agreement.types)
    if agreement.valid_from and agreement.valid_until and agreement.valid_from > agreement.valid_until:
        faults.append(Fault("never-valid", f"{place}.valid_until", "lies before valid_from"))
    families = families_of(agreement)
    if agreement.where is not None:
        for fault in senseless(agreement.where, families):
            inner = f".{fault.pointer}" if fault.pointer else ""
            faults.append(Fault(fault.code, f"{place}.where{inner}", fault.detail))
    bodies: dict[str, type[BaseModel]] = {"shipment": Shipment, "alert": Alert}
    for key, pointers in (("withhold", agreement.withhold), ("pseudonymise", agreement.pseudonymise)):
        for pointer in pointers:
            segments = pointer_pattern(pointer)[1:]
            if not any(knows(bodies[family], segments) for family in families):
                text = f"{pointer} is no field of {' or '.join(sorted(families))} bodies; it would withhold nothing"
                faults.append(Fault("unknown-field", f"{place}.{key}", text))
    return faults


def families_of(agreement: Agreement) -> frozenset[str]:
    """Return which of `shipment` and `alert` an agreement is about."""
    covered = (type_ for type_ in TYPES if any(type_matches(pattern, type_) for pattern in agreement.types))
    return frozenset(type_.partition(".")[0] for type_ in covered)


def _repeated(table: str, ids: list[str]) -> list[Fault]:
    return [
        Fault("repeated", f"{table}[{index}]", f"{id_} stands here a second time")
        for index, id_ in enumerate(ids)
        if id_ in ids[:index]
    ]


def _unknown_types(place: str, patterns: tuple[str, ...]) -> list[Fault]:
    return [
        Fault("unknown-type", place, f"{pattern} matches no type" + _nearest(pattern, TYPES))
        for pattern in patterns
        if not any(type_matches(pattern, type_) for type_ in TYPES)
    ]


def type_matches(pattern: str, type_: str) -> bool:
    """Tell whether a type such as `shipment.held` falls under `*`, `shipment.*` or itself."""
    return pattern in ("*", type_) or (pattern.endswith(".*") and type_.startswith(pattern[:-1]))
