"""(c) The same work with aio-pika, as its users write it well.

Each message is a task, as many at once as the prefetch lets in. The same schemas validate; duplicates are
known from memory only; nothing is logged; the order of messages is not kept. All in favour of speed.
"""

import hashlib
import uuid
from datetime import UTC, datetime

import aio_pika
import orjson
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage, HeadersType

from bench.job import FEED_KEY, PREFETCH, SENDER, Clock, Job
from broker.names import DELIVER
from schemas.envelope import CONTENT_TYPE, RECEIPT_SCHEMA, Message, parse


def receipt_bytes(message: Message, recipients: int) -> tuple[str, bytes]:
    """Write what the sender is told."""
    id_ = str(uuid.uuid4())
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": "urn:cbm:node:bench",
        "type": "receipt.accepted",
        "subject": message.subject,
        "time": datetime.now(UTC),
        "datacontenttype": "application/json",
        "dataschema": RECEIPT_SCHEMA,
        "correlationid": message.id,
        "causationid": message.id,
        "data": {
            "disposition": "accepted",
            "of": {"id": message.id, "type": message.type},
            "recipients": recipients,
        },
    }
    return id_, orjson.dumps(event, option=orjson.OPT_UTC_Z)


class Duty:
    """What is done with each message."""

    def __init__(self, job: Job, clock: Clock, exchange: AbstractExchange) -> None:
        self._clock = clock
        self._exchange = exchange
        self._recipients = len(job.recipients)
        self._copies = job.view_copies
        self._sender = job.addresses.of(SENDER)
        self._seen: dict[tuple[str, str], str] = {}

    async def __call__(self, incoming: AbstractIncomingMessage) -> None:
        self._clock.start()
        async with incoming.process(requeue=True):
            message = parse(incoming.body)
            digest = hashlib.sha256(incoming.body).hexdigest()
            if message.source != SENDER or self._seen.setdefault((message.source, message.id), digest) != digest:
                raise RuntimeError("the bench sends no such message")
            headers: HeadersType = {"ce-tlp": str(message.marking), "BCC": [*self._copies]}
            view = aio_pika.Message(
                incoming.body,
                headers=headers,
                content_type=CONTENT_TYPE,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                message_id=message.id,
                type=message.type,
                app_id=message.source,
            )
            await self._exchange.publish(view, FEED_KEY, mandatory=True)
            id_, body = receipt_bytes(message, self._recipients)
            receipt = aio_pika.Message(
                body,
                headers={"BCC": [self._sender]},
                content_type=CONTENT_TYPE,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                message_id=id_,
                type="receipt.accepted",
                app_id="urn:cbm:node:bench",
                correlation_id=message.id,
            )
            await self._exchange.publish(receipt, "receipt.accepted", mandatory=True)
        self._clock.settled()


async def run(job: Job, clock: Clock) -> None:
    """Work until the clock has stopped."""
    incoming, outgoing = await aio_pika.connect(job.place.url), await aio_pika.connect(job.place.url)
    async with incoming, outgoing:
        publishing = await outgoing.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await publishing.get_exchange(DELIVER)
        consuming = await incoming.channel()
        await consuming.set_qos(prefetch_count=PREFETCH)
        queue = await consuming.get_queue(job.queue)
        await queue.consume(Duty(job, clock, exchange))
        await clock.finished.wait()
