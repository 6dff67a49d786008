"""What stands in RabbitMQ: exchanges, queues, bindings, policies, users and rights, as data.

Owns every name of the wire contract. Pure: it never talks to RabbitMQ; `provision` does.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

from broker.credentials import password_hash
from broker.names import (
    DELIVER,
    JOURNAL,
    LANES,
    QUARANTINE,
    feed_exchange,
    in_exchange,
    inbox_queue,
    ingress_queue,
    log_stream,
    standing_exchange,
)
from broker.settings import Limits, Settings

# The tag by which an agency's user is known again when the agency has left cbm.toml.
AGENCY_TAG = "cbm-agency"
# RabbitMQ's delivery limit drops what a crashing consumer hands back; ours are never dropped so. Its default
# from 4.0 on is 20, and below 4.0 a negative one would drop at once, hence a number that is never reached.
_NO_DELIVERY_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue; its arguments only fix its type."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Binding:
    """From an exchange to a queue or exchange."""

    source: str
    destination: str
    to_queue: bool
    key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """All that must stand in the virtual host, users aside."""

    exchanges: tuple[tuple[str, str], ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    former: tuple[Binding, ...]
    """What earlier versions bound: left standing, it would deliver everything twice."""


_QUORUM = {"x-queue-type": "quorum"}
_INGRESS = {"x-queue-type": "quorum", "x-single-active-consumer": True}
_STREAM = {"x-queue-type": "stream"}


class Addresses:
    """The blind-copy addresses of `deliver`: one word for each agency, which only the broker knows.

    RabbitMQ takes `BCC` out of the message but still routes by it, in every exchange on the way. Were an
    agency's queue ever bound behind `deliver`, and the addresses known, it could bind by another's address and
    so learn of each message whether that other one received it too (tried on 3.10.8). The contract's
    `to.<agency>` stays bound for operators; the broker never uses it.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        # Asked for at every publish; agencies are few.
        self._known: dict[str, str] = {}
        self.journal = self.of("journal")

    def of(self, agency: str) -> str:
        """Return the address of an agency: the same for every broker that shares the RabbitMQ user."""
        address = self._known.get(agency)
        if address is None:
            digest = hmac.new(self._secret, b"cbm address " + agency.encode(), hashlib.sha256).hexdigest()
            address = self._known[agency] = "k" + digest[:32]
        return address


def topology(agencies: tuple[str, ...], addresses: Addresses) -> Topology:
    """Return what must stand for these agencies."""
    exchanges = [(DELIVER, "direct")]
    queues = [Queue(QUARANTINE, _QUORUM), Queue(JOURNAL, _STREAM)]
    bindings = [Binding(DELIVER, JOURNAL, True, addresses.journal)]
    for agency in agencies:
        into, feed, standing = in_exchange(agency), feed_exchange(agency), standing_exchange(agency)
        # Two exchanges, for what an agency binds to its feed must not be on the way of what others publish.
        exchanges += [(into, "direct"), (standing, "topic"), (feed, "topic")]
        for lane in LANES:
            queues.append(Queue(ingress_queue(agency, lane), _INGRESS))
            bindings.append(Binding(into, ingress_queue(agency, lane), True, lane))
        for kind in (*LANES, "receipt"):
            queues.append(Queue(inbox_queue(agency, kind), _QUORUM))
            bindings.append(Binding(standing, inbox_queue(agency, kind), True, f"{kind}.#"))
        queues.append(Queue(log_stream(agency), _STREAM))
        bindings.append(Binding(standing, log_stream(agency), True, "#"))
        bindings.append(Binding(DELIVER, standing, False, addresses.of(agency)))
        # The contract's own words, for operators' tools: they reach all of an agency's queues.
        bindings += [Binding(DELIVER, exchange, False, f"to.{agency}") for exchange in (standing, feed)]
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings), _former(agencies, addresses))


def _former(agencies: tuple[str, ...], addresses: Addresses) -> tuple[Binding, ...]:
    bindings: list[Binding] = []
    for agency in agencies:
        feed = feed_exchange(agency)
        bindings += [Binding(feed, inbox_queue(agency, kind), True, f"{kind}.#") for kind in (*LANES, "receipt")]
        bindings.append(Binding(feed, log_stream(agency), True, "#"))
        bindings.append(Binding(DELIVER, feed, False, addresses.of(agency)))
    return tuple(bindings)


def rights(agency: str) -> dict[str, str]:
    """Return an agency's permissions. RabbitMQ matches unanchored, so each is anchored and its dots escaped."""
    a = re.escape(agency).replace("\\-", "-")
    return {
        "configure": rf"^sub\.{a}\..*$",
        "write": rf"^(in\.{a}|sub\.{a}\..*)$",
        "read": rf"^(feed\.{a}|(inbox|sub)\.{a}\..*|log\.{a})$",
    }


def policies(limits: Limits) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the tunables by policy name: (pattern, definition). One policy applies to a queue, so patterns part."""
    keep = {"delivery-limit": _NO_DELIVERY_LIMIT}
    return {
        "cbm-ingress": (
            r"^ingress\.",
            keep
            | {
                "max-length": limits.ingress_messages,
                "max-length-bytes": limits.ingress_bytes,
                "overflow": "reject-publish",
            },
        ),
        "cbm-inbox": (
            r"^inbox\.",
            keep
            | {"max-length": limits.inbox_messages, "max-length-bytes": limits.inbox_bytes, "overflow": "drop-head"},
        ),
        "cbm-sub": (
            r"^sub\.",
            {
                "max-length": limits.subscription_messages,
                "max-length-bytes": limits.subscription_bytes,
                "overflow": "drop-head",
            },
        ),
        "cbm-quarantine": (
            r"^quarantine$",
            keep
            | {
                "max-length": limits.quarantine_messages,
                "max-length-bytes": limits.quarantine_bytes,
                "overflow": "reject-publish",
            },
        ),
        "cbm-log": (r"^log\.", {"max-age": limits.log_age, "max-length-bytes": limits.log_bytes}),
        "cbm-journal": (r"^journal$", {"max-age": limits.journal_age, "max-length-bytes": limits.journal_bytes}),
    }


def definitions(settings: Settings, passwords: dict[str, str | None], addresses: Addresses) -> dict[str, Any]:
    """Return RabbitMQ's definitions document for all of it, users included.

    `passwords` holds the agencies whose users are ours to make; the document carries only their hashes.
    None: no password lets it in, not even an empty one; a certificate does.
    """
    vhost = settings.rabbitmq.vhost
    limits = settings.limits
    wanted = topology(tuple(agency.id for agency in settings.agency), addresses)
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": agency,
                "password_hash": "" if password is None else password_hash(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": AGENCY_TAG,
                "limits": {
                    "max-connections": limits.connections_per_agency,
                    "max-channels": limits.channels_per_agency,
                },
            }
            for agency, password in passwords.items()
        ],
        "permissions": [{"user": agency, "vhost": vhost} | rights(agency) for agency in passwords],
        # RabbitMQ counts the queues of all together; `provision.trim_own` holds each agency to its share.
        "parameters": [
            {
                "vhost": vhost,
                "component": "vhost-limits",
                "name": "limits",
                "value": {"max-queues": len(wanted.queues) + settings.limits.queues_per_agency * (len(passwords) + 1)},
            }
        ],
        "policies": [
            {"vhost": vhost, "name": name, "pattern": pattern, "apply-to": "queues", "priority": 0, "definition": what}
            for name, (pattern, what) in policies(limits).items()
        ],
        "exchanges": [
            {
                "name": name,
                "vhost": vhost,
                "type": type_,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for name, type_ in wanted.exchanges
        ],
        "queues": [
            {"name": q.name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": q.arguments}
            for q in wanted.queues
        ],
        "bindings": [
            {
                "source": b.source,
                "vhost": vhost,
                "destination": b.destination,
                "destination_type": "queue" if b.to_queue else "exchange",
                "routing_key": b.key,
                "arguments": {},
            }
            for b in wanted.bindings
        ],
    }
