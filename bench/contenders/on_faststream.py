"""(d) The same work with FastStream: validated by the pydantic model in the handler's signature.

Its own logging is off, duplicates are known from memory only, the order of messages is not kept.
"""

from typing import Any

import orjson
from faststream import AckPolicy
from faststream.rabbit import Channel, ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue

from bench.contenders.on_aio_pika import receipt_bytes
from bench.job import FEED_KEY, PREFETCH, SENDER, Clock, Job
from broker.names import DELIVER
from schemas.envelope import CONTENT_TYPE, ShipmentMessage


async def _decode(message: Any) -> Any:
    # FastStream knows JSON by `application/json` only.
    return orjson.loads(message.body)


async def run(job: Job, clock: Clock) -> None:
    """Work until the clock has stopped."""
    broker = RabbitBroker(job.place.url, logger=None, default_channel=Channel(on_return_raises=True))
    exchange = RabbitExchange(DELIVER, type=ExchangeType.DIRECT, durable=True, declare=False)
    copies, sender, recipients = job.view_copies, job.addresses.of(SENDER), len(job.recipients)
    seen: set[tuple[str, str]] = set()

    @broker.subscriber(
        RabbitQueue(job.queue, queue_type=QueueType.QUORUM, declare=False),
        channel=Channel(prefetch_count=PREFETCH),
        decoder=_decode,
        ack_policy=AckPolicy.MANUAL,
    )
    async def handle(event: ShipmentMessage, message: RabbitMessage) -> None:
        clock.start()
        if event.source != SENDER or (event.source, event.id) in seen:
            raise RuntimeError("the bench sends no such message")
        seen.add((event.source, event.id))
        await broker.publish(
            message.body,
            exchange=exchange,
            routing_key=FEED_KEY,
            mandatory=True,
            persist=True,
            headers={"ce-tlp": str(event.marking), "BCC": [*copies]},
            content_type=CONTENT_TYPE,
            message_id=event.id,
            message_type=event.type,
        )
        id_, body = receipt_bytes(event, recipients)
        await broker.publish(
            body,
            exchange=exchange,
            routing_key="receipt.accepted",
            mandatory=True,
            persist=True,
            headers={"BCC": [sender]},
            content_type=CONTENT_TYPE,
            message_id=id_,
            message_type="receipt.accepted",
            correlation_id=event.id,
        )
        await message.ack()
        clock.settled()

    async with broker:
        await broker.start()
        await clock.finished.wait()
