"""(a) The bare relay: pika as it is, the same publishes, every safety of AMQP, no look at the content.

The floor that nobody who publishes the same through pika can be much faster than: what cbm adds is checking,
deciding, recording and logging. It publishes a message's view and receipt at once and acknowledges, many at
a time, what is confirmed without a gap.
"""

import asyncio
import logging
from collections import deque
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection

from bench.job import FEED_KEY, PREFETCH, SENDER, Clock, Job
from broker.names import DELIVER

_RECEIPT = (
    b'{"specversion":"1.0","id":"%s","source":"urn:cbm:node:bench","type":"receipt.accepted","subject":"6KR12345678",'
    b'"time":"2026-01-01T00:00:00.000000Z","datacontenttype":"application/json","dataschema":"urn:cbm:receipt:1",'
    b'"correlationid":"%s","causationid":"%s","data":{"disposition":"accepted","of":{"id":"%s",'
    b'"type":"shipment.held"},"recipients":1}}'
)


class Relay:
    """One connection to take, one to publish: RabbitMQ slows publishers down, not consumers."""

    def __init__(self, job: Job, clock: Clock) -> None:
        self._clock = clock
        self._queue = job.queue
        self._view_headers = {"ce-tlp": "AMBER+STRICT", "BCC": job.view_copies}
        self._receipt_headers = {"BCC": [job.addresses.of(SENDER)]}
        self._incoming: Any = None
        self._outgoing: Any = None
        # Delivery tags in their order; two publishes each, so the n-th is confirmed with publish 2n.
        self._waiting: deque[int] = deque()
        self._confirmed: set[int] = set()
        self._lowest = 0
        self._acknowledged = 0

    def consume(self, incoming: Any, outgoing: Any) -> None:
        """Begin."""
        self._incoming, self._outgoing = incoming, outgoing
        outgoing.add_on_return_callback(self._on_return)
        outgoing.confirm_delivery(self._on_confirm)
        incoming.basic_qos(prefetch_count=PREFETCH)
        incoming.basic_consume(self._queue, self._on_message)

    def _on_message(self, _: Any, method: Any, properties: Any, body: bytes) -> None:
        self._clock.start()
        id_ = properties.message_id
        view = pika.BasicProperties(
            content_type=properties.content_type,
            headers=self._view_headers,
            delivery_mode=2,
            message_id=id_,
            type=properties.type,
            app_id=SENDER,
        )
        self._outgoing.basic_publish(DELIVER, FEED_KEY, body, view, mandatory=True)
        encoded = id_.encode()
        receipt = pika.BasicProperties(
            content_type=properties.content_type,
            headers=self._receipt_headers,
            delivery_mode=2,
            message_id="r" + id_,
            type="receipt.accepted",
            app_id="urn:cbm:node:bench",
            correlation_id=id_,
        )
        text = _RECEIPT % (encoded, encoded, encoded, encoded)
        self._outgoing.basic_publish(DELIVER, "receipt.accepted", text, receipt, mandatory=True)
        self._waiting.append(method.delivery_tag)

    def _on_return(self, *_: Any) -> None:
        raise RuntimeError("RabbitMQ returned a publish of the relay")

    def _on_confirm(self, frame: Any) -> None:
        if frame.method.NAME != "Basic.Ack":
            raise RuntimeError("RabbitMQ did not store a publish of the relay")
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self._confirmed.difference_update(range(self._lowest, tag + 1))
            self._lowest = max(self._lowest, tag)
        else:
            self._confirmed.add(tag)
        while self._lowest + 1 in self._confirmed:
            self._lowest += 1
            self._confirmed.remove(self._lowest)
        count = self._lowest // 2 - self._acknowledged
        if count > 0:
            for _ in range(count):
                last = self._waiting.popleft()
            self._acknowledged += count
            self._incoming.basic_ack(last, multiple=True)
            self._clock.settled(count)


async def _channel(url: str) -> tuple[Any, Any]:
    opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def on_error(_: Any, error: Any) -> None:
        opened.set_exception(RuntimeError(type(error).__name__))

    connection = AsyncioConnection(
        pika.URLParameters(url),
        on_open_callback=lambda made: made.channel(on_open_callback=opened.set_result),
        on_open_error_callback=on_error,
    )
    return connection, await opened


async def run(job: Job, clock: Clock) -> None:
    """Relay until the clock has stopped."""
    logging.getLogger("pika").setLevel(logging.ERROR)
    incoming, outgoing = await _channel(job.place.url), await _channel(job.place.url)
    for connection, _ in (incoming, outgoing):
        # Lost before the end: there is then nothing measured, and the round fails.
        connection.add_on_close_callback(lambda *_: clock.finished.set())
    Relay(job, clock).consume(incoming[1], outgoing[1])
    await clock.finished.wait()
    for connection, _ in (incoming, outgoing):
        if connection.is_open:
            closed = asyncio.Event()
            connection.add_on_close_callback(lambda *_, closed=closed: closed.set())
            connection.close()
            await asyncio.wait_for(closed.wait(), 10)
