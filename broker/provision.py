"""Brings RabbitMQ to what `topology` says: at start, idempotently, and taking back what left cbm.toml.

Owns the three ways: the management API where it may be used; else AMQP for exchanges and queues, with
a definitions file for the administrator, who alone can make users. Never deletes an inbox or a log.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from broker.amqp import Session
from broker.credentials import Bundle, Credentials, url_files, url_with, write_private
from broker.logs import log
from broker.management import Management, quoted
from broker.names import LANES, feed_exchange, in_exchange, ingress_queue, standing_exchange
from broker.node import PrivateNode
from broker.settings import Settings
from broker.topology import AGENCY_TAG, Addresses, definitions, topology
from schemas.errors import ConfigError, Fault, NotAuthorised, NotFound, TransportError, Unreachable


@dataclass(frozen=True, slots=True)
class Place:
    """Where RabbitMQ is and how the broker gets in. `management` is None where it may not be used."""

    url: str
    management: Management | None
    tls_port: int = 0
    """Where a private node takes client certificates; 0: nowhere."""
    secret: str = ""
    """What stands for the broker's password where a certificate lets it in and it has none."""

    @property
    def addresses(self) -> Addresses:
        """The blind-copy addresses that go with the broker's user; nobody else may be able to tell them."""
        secret = unquote(urlsplit(self.url).password or "") or self.secret
        assert secret
        return Addresses(secret)

    def agency_url(self, agency: str, password: str) -> str:
        """Return the URL by which an agency connects to the same RabbitMQ."""
        parts = urlsplit(self.url)
        netloc = parts.netloc.rpartition("@")[2]
        # Whose certificates are trusted is the same for all; a certificate of the broker's own is nobody else's.
        query = self._trust()
        url = f"{parts.scheme}://{quoted(agency)}:{quoted(password)}@{netloc}{parts.path}"
        return url + (f"?{query}" if query else "")

    def _trust(self, **further: Path) -> str:
        """Return the query of a URL that trusts the same authority."""
        kept = {name: value for name, value in url_files(self.url).items() if name == "cacertfile"}
        return urlencode(kept | {name: str(path.resolve()) for name, path in further.items()}, safe="/")

    def require_tls(self) -> None:
        """Ask for a RabbitMQ that takes the certificates of the node's own authority.

        Raises:
            NotFound: there is none.
        """
        if not self.tls_port:
            raise NotFound("no private RabbitMQ with TLS was started: set [rabbitmq] tls = true, without a url")

    def certificate_url(self, agency: str, bundle: Bundle) -> str:
        """Return the URL by which an agency connects with its certificate.

        Raises:
            NotFound: this RabbitMQ takes none.
        """
        parts = urlsplit(self.url)
        if not self.tls_port and parts.scheme == "amqps":
            query = self._trust(certfile=bundle.certificate, keyfile=bundle.key)
            return f"amqps://{quoted(agency)}@{parts.netloc.rpartition('@')[2]}{parts.path}?{query}"
        self.require_tls()
        query = self._trust(cacertfile=bundle.authority, certfile=bundle.certificate, keyfile=bundle.key)
        return f"amqps://{quoted(agency)}@localhost:{self.tls_port}{parts.path}?{query}"


def private_node(settings: Settings) -> PrivateNode:
    """Return the private node that a configuration without a RabbitMQ of its own asks for."""
    rabbitmq = settings.rabbitmq
    names = ("localhost", "127.0.0.1", settings.node.name) if rabbitmq.tls else ()
    return PrivateNode(settings.state_dir, rabbitmq.vhost, rabbitmq.server, tls_names=names)


def configured_place(settings: Settings) -> Place:
    """Return the RabbitMQ that is configured, or the private node as it was last started.

    Raises:
        ConfigError: the password file cannot be read.
        NotFound: the private node was never started.
    """
    rabbitmq = settings.rabbitmq
    if not rabbitmq.url:
        node = private_node(settings)
        return Place(node.url, node.management, node.ports.amqps if node.ports else 0)
    password = rabbitmq.password.get_secret_value() if rabbitmq.password else None
    if password is None and rabbitmq.password_file is not None:
        try:
            password = rabbitmq.password_file.read_text().strip()
        except OSError as error:
            text = f"cannot be read: {error.strerror}"
            raise ConfigError([Fault("no-file", "rabbitmq.password_file", text)]) from None
    url = url_with(rabbitmq.url, password=password, vhost=rabbitmq.vhost)
    parts = urlsplit(url)
    if not parts.password:
        # The management API asks for a password, which this user has not.
        return Place(url, None, secret=Credentials(settings.state_dir).get_or_make("address-secret"))
    management = None
    if rabbitmq.management_url != "none":
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        # Whoever wants TLS for messages does not want the administrator's password in plain text beside it.
        at = rabbitmq.management_url or (f"https://{host}:15671" if parts.scheme == "amqps" else f"http://{host}:15672")
        cafile = url_files(url).get("cacertfile", "")
        management = Management(at, unquote(parts.username or ""), unquote(parts.password), cafile=cafile)
    return Place(url, management)


def agency_address(settings: Settings, agency: str) -> str:
    """Return the URL by which processes on the broker's machine act as an agency.

    By its password; where it has none, by the certificate in `state_dir/certificates`, which a private
    node's own authority makes and renews, and which the operator puts there else.

    Raises:
        NotFound: there is neither; the broker makes passwords when it first starts.
    """
    place = configured_place(settings)
    entry = settings.find_agency(agency)
    if entry is None or not entry.certificate_only:
        return place.agency_url(agency, Credentials(settings.state_dir).get(agency))
    if not settings.rabbitmq.url:
        place.require_tls()
        from broker.authority import Authority

        return place.certificate_url(agency, Authority(settings.state_dir).local(agency))
    bundle = Bundle.of(agency, settings.state_dir / "certificates")
    if not (bundle.certificate.exists() and bundle.key.exists()):
        text = f"{agency} has no password, only a certificate; put it and its key into {bundle.certificate.parent}"
        raise NotFound(f"{text} as {bundle.certificate.name} and {bundle.key.name}, or name them by CBM_URL")
    return place.certificate_url(agency, bundle)


async def provision(settings: Settings, place: Place, session: Session) -> None:
    """Make RabbitMQ as the configuration wants it.

    Raises:
        TransportError, NotAuthorised, NotFound: RabbitMQ did not let itself be brought there.
    """
    credentials = Credentials(settings.state_dir)
    passwords: dict[str, str | None] = {}
    for agency in settings.agency:
        passwords[agency.id] = None if agency.certificate_only else credentials.get_or_make(agency.id)
        if agency.certificate_only:
            credentials.forget(agency.id)
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
    known = {agency.id for agency in settings.agency}
    for user in await management.get("users"):
        tags = user["tags"] if isinstance(user["tags"], list) else str(user["tags"]).split(",")
        if AGENCY_TAG in tags and user["name"] not in known and await _is_ours(management, vhost, user["name"]):
            await _take_back(management, vhost, user["name"])
            credentials.forget(user["name"])
            _withdraw(settings, user["name"])


def _withdraw(settings: Settings, agency: str) -> None:
    """See that the certificates of an agency that left open nothing either, should one of its name come again."""
    if (settings.state_dir / "authority" / "issued" / agency).exists():
        from broker.authority import Authority

        local = Bundle.of(agency, settings.state_dir / "certificates")
        local.certificate.unlink(missing_ok=True)
        local.key.unlink(missing_ok=True)
        Authority(settings.state_dir).withdraw(agency)


async def close_connections(place: Place, agency: str) -> bool:
    """Close all connections of an agency, which opens those again that it may; False: RabbitMQ does not run.

    Raises:
        NotAuthorised, NotFound, TransportError: the management API may not be used, or refuses.
    """
    if place.management is None:
        raise NotFound("connections can be closed by the management API only, which is not to be used")
    try:
        await place.management.delete(f"connections/username/{quoted(agency)}")
    except Unreachable:
        return False
    return True


async def _is_ours(management: Management, vhost: str, agency: str) -> bool:
    """Whether the agency's exchange stands in this virtual host: the user may belong to another broker's."""
    try:
        await management.get(f"exchanges/{vhost}/{quoted(feed_exchange(agency))}")
    except NotFound:
        return False
    return True


async def _take_back(management: Management, vhost: str, agency: str) -> None:
    """End an agency's rights. Its inboxes and log stay as they are, parked; so does what it had published."""
    for exchange in (quoted(standing_exchange(agency)), quoted(feed_exchange(agency))):
        try:
            bindings = await management.get(f"exchanges/{vhost}/{exchange}/bindings/destination")
        except NotFound:
            continue
        for binding in bindings:
            where = f"bindings/{vhost}/e/{quoted(binding['source'])}/e/{exchange}/{quoted(binding['properties_key'])}"
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
