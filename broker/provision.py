"""Brings RabbitMQ to what `topology` says: at start, idempotently, and taking back what left cbm.toml.

Owns the three ways: the management API where it may be used; else AMQP for exchanges and queues, with
a definitions file for the administrator, who alone can make users. Never deletes an inbox or a log.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from broker.amqp import Session
from broker.credentials import Credentials, url_with, write_private
from broker.logs import log
from broker.management import Management, quoted
from broker.names import LANES, feed_exchange, in_exchange, ingress_queue, standing_exchange
from broker.node import PrivateNode
from broker.settings import Settings
from broker.topology import AGENCY_TAG, Addresses, definitions, topology
from schemas.errors import ConfigError, Fault, NotAuthorised, NotFound, TransportError


@dataclass(frozen=True, slots=True)
class Place:
    """Where RabbitMQ is and how the broker gets in. `management` is None where it may not be used."""

    url: str
    management: Management | None

    @property
    def addresses(self) -> Addresses:
        """The blind-copy addresses that go with the broker's user."""
        return Addresses(unquote(urlsplit(self.url).password or ""))

    def agency_url(self, agency: str, password: str) -> str:
        """Return the URL by which an agency connects to the same RabbitMQ."""
        parts = urlsplit(self.url)
        netloc = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{quoted(agency)}:{quoted(password)}@{netloc}{parts.path}"


def configured_place(settings: Settings) -> Place:
    """Return the RabbitMQ that is configured, or the private node as it was last started.

    Raises:
        ConfigError: the password file cannot be read.
        NotFound: the private node was never started.
    """
    rabbitmq = settings.rabbitmq
    if not rabbitmq.url:
        node = PrivateNode(settings.state_dir, rabbitmq.vhost)
        return Place(node.url, node.management)
    password = rabbitmq.password.get_secret_value() if rabbitmq.password else None
    if password is None and rabbitmq.password_file is not None:
        try:
            password = rabbitmq.password_file.read_text().strip()
        except OSError as error:
            text = f"cannot be read: {error.strerror}"
            raise ConfigError([Fault("no-file", "rabbitmq.password_file", text)]) from None
    url = url_with(rabbitmq.url, password=password, vhost=rabbitmq.vhost)
    parts = urlsplit(url)
    management = None
    if rabbitmq.management_url != "none":
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        at = rabbitmq.management_url or f"http://{host}:15672"
        management = Management(at, unquote(parts.username or ""), unquote(parts.password or ""))
    return Place(url, management)


async def provision(settings: Settings, place: Place, session: Session) -> None:
    """Make RabbitMQ as the configuration wants it.

    Raises:
        TransportError, NotAuthorised, NotFound: RabbitMQ did not let itself be brought there.
    """
    credentials = Credentials(settings.state_dir)
    passwords = {agency.id: credentials.get_or_make(agency.id) for agency in settings.agency}
    document = definitions(settings, passwords, place.addresses)
    if place.management is not None:
        try:
            await _through_management(settings, place.management, document, credentials)
        except (NotAuthorised, TransportError) as error:
            _for_administrator(settings, document, str(error))
        else:
            await _without_former(settings, place, session)
            log.info("topology.applied", agencies=len(settings.agency), how="management")
            return
    else:
        _for_administrator(settings, document, "the management API is not to be used")
    await _through_amqp(settings, place, session)
    await _without_former(settings, place, session)
    log.info("topology.applied", agencies=len(settings.agency), how="amqp")


def _for_administrator(settings: Settings, document: dict[str, Any], why: str) -> None:
    path = Path(settings.state_dir) / "definitions.json"
    write_private(path, json.dumps(document, indent=1))
    log.warning("topology.administrator_needed", reason=why, file=str(path))


async def _through_management(
    settings: Settings, management: Management, document: dict[str, Any], credentials: Credentials
) -> None:
    vhost = quoted(settings.rabbitmq.vhost)
    await management.post("definitions", document)
    limits = settings.limits
    for agency in document["users"]:
        for what, value in (
            ("max-connections", limits.connections_per_agency),
            ("max-channels", limits.channels_per_agency),
        ):
            await management.put(f"user-limits/{quoted(agency['name'])}/{what}", {"value": value})
    known = {agency.id for agency in settings.agency}
    for user in await management.get("users"):
        tags = user["tags"] if isinstance(user["tags"], list) else str(user["tags"]).split(",")
        if AGENCY_TAG in tags and user["name"] not in known and await _is_ours(management, vhost, user["name"]):
            await _take_back(management, vhost, user["name"])
            credentials.forget(user["name"])


async def _is_ours(management: Management, vhost: str, agency: str) -> bool:
    """Whether the agency's exchange stands in this virtual host: the user may belong to another broker's."""
    try:
        await management.get(f"exchanges/{vhost}/{quoted(feed_exchange(agency))}")
    except NotFound:
        return False
    return True


async def _take_back(management: Management, vhost: str, agency: str) -> None:
    """End an agency's rights. Its inboxes and log stay as they are, parked; so does what it had published."""
    standing = quoted(standing_exchange(agency))
    try:
        bindings = await management.get(f"exchanges/{vhost}/{standing}/bindings/destination")
    except NotFound:
        bindings = []
    for binding in bindings:
        where = f"bindings/{vhost}/e/{quoted(binding['source'])}/e/{standing}/{quoted(binding['properties_key'])}"
        await management.delete(where)
    await management.delete(f"users/{quoted(agency)}")
    await management.delete(f"exchanges/{vhost}/{quoted(in_exchange(agency))}")
    waiting = 0
    for lane in LANES:
        queue = f"queues/{vhost}/{quoted(ingress_queue(agency, lane))}"
        try:
            waiting += int((await management.get(queue)).get("messages", 0))
        except NotFound:
            continue
    log.warning("agency.parked", agency=agency, waiting=waiting)


async def trim_own(settings: Settings, management: Management) -> None:
    """Delete queues and exchanges that an agency declared beyond its share.

    RabbitMQ's own limit counts the queues of all agencies together: one could keep the others from declaring any.

    Raises:
        TransportError, NotAuthorised, NotFound: the management API did not answer as it should.
    """
    vhost = quoted(settings.rabbitmq.vhost)
    for what in ("queues", "exchanges"):
        own: dict[str, list[tuple[int, str]]] = {}
        for one in await management.get(f"{what}/{vhost}?columns=name,consumers"):
            kind, *agency = str(one["name"]).split(".")[:3]
            if kind == "sub" and len(agency) == 2:
                own.setdefault(".".join(agency), []).append((int(one.get("consumers") or 0), one["name"]))
        for agency_id, found in own.items():
            excess = sorted(found)[: max(0, len(found) - settings.limits.queues_per_agency)]
            if excess:
                log.warning("agency.trimmed", agency=agency_id, count=len(excess))
            for _, name in excess:
                # A queue that is exclusive goes with its connection, of which there are few.
                with contextlib.suppress(TransportError):
                    await management.delete(f"{what}/{vhost}/{quoted(name)}")


async def _through_amqp(settings: Settings, place: Place, session: Session) -> None:
    wanted = topology(tuple(agency.id for agency in settings.agency), place.addresses)
    channel = await session.channel()
    for name, type_ in wanted.exchanges:
        await channel.declare_exchange(name, type_)
    for queue in wanted.queues:
        await channel.declare_queue(queue.name, queue.arguments)
    for binding in wanted.bindings:
        bind = channel.bind_queue if binding.to_queue else channel.bind_exchange
        await bind(binding.destination, binding.source, binding.key)
    await channel.close()


async def _without_former(settings: Settings, place: Place, session: Session) -> None:
    """Take away what earlier versions bound; only now, when what came in its place stands."""
    channel = await session.channel()
    for binding in topology(tuple(agency.id for agency in settings.agency), place.addresses).former:
        unbind = channel.unbind_queue if binding.to_queue else channel.unbind_exchange
        await unbind(binding.destination, binding.source, binding.key)
    await channel.close()
