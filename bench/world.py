"""One round's world: a fresh virtual host with cbm's topology, what is put into it, and what must come out.

Owns the messages and the check of a contender's result. Never measures.
"""

import asyncio
import json
import logging
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.job import LANE, SENDER, Job
from broker.amqp import Confirmations, Publisher, Session, properties
from broker.credentials import BROKER_USER
from broker.management import quoted
from broker.names import JOURNAL, LANES, QUARANTINE, in_exchange, inbox_queue, ingress_queue
from broker.node import PrivateNode
from broker.provision import provision
from broker.settings import Settings, load
from schemas.envelope import CONTENT_TYPE

RECEIVERS = ("kr.quarantine", "kr.border", "kr.police")
BODY_BYTES = 1024
_WAIT_S = 30.0


class WrongResult(Exception):
    """A contender's round did not end as it must; its figures count for nothing."""


def message(id_: str) -> bytes:
    """Return a valid shipment event of exactly `BODY_BYTES` bytes."""
    now = datetime.now(UTC).isoformat()
    content: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "source": SENDER,
        "type": "shipment.held",
        "subject": "6KR12345678",
        "time": now,
        "datacontenttype": "application/json",
        "dataschema": "urn:cbm:shipment:1",
        "tlp": "AMBER+STRICT",
        "traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
        "data": {
            "identifiers": [{"scheme": "ucr", "value": "6KR12345678"}, {"scheme": "container", "value": "CSQU3054383"}],
            "occurred": now,
            "place": {"locode": "KRPUS", "country": "KR"},
            "transport": {"mode": "1", "voyage": "042W"},
            "parties": [{"role": "importer", "name": "Busan Fruit Trading", "country": "KR"}],
            "goods": [{"item": 1, "hs": "08045020", "origin": "TH", "gross_mass_kg": 18250.5, "packages": 960}],
            "decision": {"outcome": "held", "item": 1, "automatic": False},
        },
    }
    goods = content["data"]["goods"][0]
    goods["description"] = "x"
    short = BODY_BYTES - len(json.dumps(content, separators=(",", ":")))
    goods["description"] = ("mangosteens, fresh, in cartons; " * BODY_BYTES)[: short + 1]
    return json.dumps(content, separators=(",", ":")).encode()


class World:
    """A virtual host and a folder for one round."""

    def __init__(self, node: PrivateNode, folder: Path, job: Job) -> None:
        self.job = job
        self._management = node.management
        self._folder = folder
        self.bodies: dict[str, bytes] = {}
        self.settings: Settings

    async def build(self) -> None:
        """Make the virtual host and what stands in it."""
        self._folder.mkdir()
        self._configure()
        self.settings = load(self._folder / "cbm.toml", {})
        vhost = quoted(self.job.vhost)
        await self._management.put(f"vhosts/{vhost}", {})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await self._management.put(f"permissions/{vhost}/{BROKER_USER}", everything)
        session = await Session.open(self.job.place.url, name="bench")
        await provision(self.settings, self.job.place, session)
        await session.close()
        self.job.write()

    def _configure(self) -> None:
        lines = [
            "[node]",
            'name = "bench"',
            f"state_dir = {json.dumps(self.job.state_dir)}",
            "[rabbitmq]",
            f"vhost = {json.dumps(self.job.vhost)}",
            "[ledger]",
            f"url = {json.dumps(f'sqlite:///{self._folder}/ledger.sqlite')}",
            "[limits]",
            f"ingress_messages = {max(self.job.messages, 100_000)}",
        ]
        for agency in (SENDER, *RECEIVERS):
            lines += ["[[agency]]", f'id = "{agency}"', f'name = "{agency}"', 'sector = "other"']
            lines += ['publishes = ["shipment.*", "alert.*"]']
        for agency in self.job.recipients:
            lines += ["[[agreement]]", f'id = "to-{agency}"', f'from = ["{SENDER}"]', f'to = ["{agency}"]']
            lines += ['types = ["shipment.*"]', 'purpose = "bench"', 'legal_basis = "none"']
        (self._folder / "cbm.toml").write_text("\n".join(lines) + "\n")

    async def drop(self) -> None:
        """Take the virtual host back."""
        await self._management.delete(f"vhosts/{quoted(self.job.vhost)}")

    def new_message(self) -> str:
        """Make one message more; returns its id."""
        id_ = str(uuid.uuid4())
        self.bodies[id_] = message(id_)
        return id_

    def publish(self, publisher: Publisher, id_: str, group: Confirmations) -> None:
        """Publish a message as its sender would."""
        props = properties(content_type=CONTENT_TYPE, message_id=id_, type_="shipment.held", app_id=SENDER)
        publisher.publish(in_exchange(SENDER), LANE, self.bodies[id_], props, group, 0)

    async def fill(self) -> None:
        """Put all messages into the sender's ingress queue."""
        session = await Session.open(self.job.place.url, name="bench")
        publisher = await session.publisher()
        for start in range(0, self.job.messages, 500):
            await publisher.ready()
            group = Confirmations()
            for _ in range(min(500, self.job.messages - start)):
                self.publish(publisher, self.new_message(), group)
            if await group.wait(_WAIT_S):
                raise WrongResult("the queue could not be filled")
        await session.close()

    async def check(self) -> None:
        """Look at everything that came out.

        Raises:
            WrongResult: an inbox, the receipts or the journal hold one message too few, too many or another.
        """
        session = await Session.open(self.job.place.url, name="bench")
        try:
            for agency in (SENDER, *RECEIVERS):
                for lane in LANES:
                    wanted = self.bodies if agency in self.job.recipients and lane == LANE else {}
                    await self._check_queue(session, inbox_queue(agency, lane), wanted)
                    await self._check_queue(session, ingress_queue(agency, lane), {})
                receipts = inbox_queue(agency, "receipt")
                await self._check_queue(session, receipts, self.bodies if agency == SENDER else {}, receipt=True)
            await self._check_queue(session, QUARANTINE, {})
            await self._check_queue(session, JOURNAL, self.bodies, stream=True)
        finally:
            await session.close()

    async def _check_queue(
        self, session: Session, queue: str, wanted: dict[str, bytes], *, receipt: bool = False, stream: bool = False
    ) -> None:
        if not stream:
            channel = await session.channel()
            count, _ = await channel.declare_queue(queue, passive=True)
            await channel.close()
            if count != len(wanted):
                raise WrongResult(f"{self.job.contender}: {queue} holds {count} messages, not {len(wanted)}")
        if not wanted:
            return
        found: Counter[str] = Counter()
        arguments = {"x-stream-offset": "first"} if stream else None
        consumer = await session.consumer(queue, prefetch=1000, arguments=arguments)
        while found.total() < len(wanted):
            try:
                deliveries = await asyncio.wait_for(consumer.batch(1000), _WAIT_S)
            except TimeoutError:
                raise WrongResult(f"{self.job.contender}: {queue} holds {found.total()}, not {len(wanted)}") from None
            for delivery in deliveries:
                id_ = _told_of(delivery.body) if receipt else str(delivery.message_id)
                found[id_] += 1
                if not receipt and delivery.body != wanted.get(id_):
                    raise WrongResult(f"{self.job.contender}: {queue} holds a message that was not sent so")
            consumer.ack(deliveries[-1].tag, multiple=True)
        await consumer.close()
        if found != Counter(wanted.keys()):
            raise WrongResult(f"{self.job.contender}: {queue} does not hold every message once")


def _told_of(receipt: bytes) -> str:
    data = json.loads(receipt)["data"]
    if data["disposition"] != "accepted":
        raise WrongResult(f"a receipt says {data['disposition']}")
    return str(data["of"]["id"])


def quiet_logs() -> None:
    """Keep the bench's own output to its table."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
