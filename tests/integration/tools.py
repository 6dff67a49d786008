"""What several integration tests do: publish many at once, collect what arrives, change limits."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from broker.amqp import Confirmations, Delivery, Session, properties
from broker.settings import Settings
from schemas.envelope import CONTENT_TYPE
from tests import PATIENCE
from tests.harness import House, as_bytes

WAIT_S = 30.0 * PATIENCE


def limited(settings: Settings, **limits: Any) -> Settings:
    """The same settings with other limits."""
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


async def flood(house: House, agency: str, lane: str, contents: Iterable[Any]) -> list[str]:
    """Publish many messages as an agency, pipelined; return the ids RabbitMQ confirmed. Messages are plain objects."""
    session = await Session.open(house.url(agency), name="flood")
    publisher = await session.publisher()
    ids: list[str] = []
    group = Confirmations()
    for number, content in enumerate(contents):
        ids.append(content["id"])
        props = properties(content_type=CONTENT_TYPE, message_id=content["id"])
        publisher.publish(f"in.{agency}", lane, as_bytes(content), props, group, number)
        if number % 500 == 499:
            await publisher.ready()
            await asyncio.sleep(0)
    failures = await group.wait(WAIT_S)
    await session.close()
    return [id_ for number, id_ in enumerate(ids) if number not in failures]


class Collector:
    """Consumes a queue, acknowledging, for as long as it is open; keeps what came, in order."""

    def __init__(self, house: House, queue: str) -> None:
        self._house, self.queue = house, queue
        self.deliveries: list[Delivery] = []
        self._came = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        session = await Session.open(self._house.place.url, name="collector")
        try:
            consumer = await session.consumer(self.queue, prefetch=500)
            while True:
                batch = await consumer.batch(500)
                self.deliveries += batch
                consumer.ack(batch[-1].tag, multiple=True)
                self._came.set()
        finally:
            await session.close()

    @property
    def contents(self) -> list[dict[str, Any]]:
        """The messages, decoded."""
        return [json.loads(delivery.body) for delivery in self.deliveries]

    @property
    def ids(self) -> list[str]:
        """The ids, in order of arrival."""
        return [content["id"] for content in self.contents]

    async def until(self, count: int, timeout_s: float = WAIT_S) -> None:
        """Wait until so many came."""
        async with asyncio.timeout(timeout_s):
            while len(self.deliveries) < count:
                if self._task.done():
                    self._task.result()
                self._came.clear()
                await self._came.wait()

    async def until_ids(self, wanted: Iterable[str], timeout_s: float = WAIT_S) -> None:
        """Wait until all of these came."""
        missing, looked = set(wanted), 0
        async with asyncio.timeout(timeout_s):
            while True:
                missing -= {json.loads(d.body)["id"] for d in self.deliveries[looked:]}
                looked = len(self.deliveries)
                if not missing:
                    return
                await self.until(looked + 1, timeout_s)

    async def close(self) -> None:
        """Stop consuming."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@asynccontextmanager
async def collecting(house: House, queue: str) -> AsyncIterator[Collector]:
    """Collect what arrives in a queue."""
    collector = Collector(house, queue)
    try:
        yield collector
    finally:
        await collector.close()


async def dispositions(house: House, agency: str, contents: Iterable[Any], lane: str | None = None) -> list[str]:
    """Publish messages one after the other as an agency; return what their receipts say."""
    results = []
    async with house.client(agency) as client:
        for content in contents:
            body = content if isinstance(content, bytes) else as_bytes(content)
            id_ = json.loads(body)["id"]
            published = await client.publish_bytes(body, id_, lane or json.loads(body)["type"])
            results.append((await published.receipt()).disposition)
    return results


@asynccontextmanager
async def logged() -> AsyncIterator[list[Any]]:
    """Capture what the broker logs."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def said(entries: list[Any], event: str) -> Any:
    """Return a condition for `until`: the event was logged."""

    async def condition() -> bool:
        return any(entry["event"] == event for entry in entries)

    return condition
