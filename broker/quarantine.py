"""Reading and repairing the `quarantine` queue: look without taking, send again, discard, all logged.

Owns how refused messages are browsed: consumed without acknowledgement and given back by closing the
channel, in their order. Never changes a message.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.amqp import Consumer, Delivery, Session, properties
from broker.logs import log
from broker.names import QUARANTINE, RESENT_HEADER, in_exchange
from schemas.envelope import CONTENT_TYPE
from schemas.errors import NotFound

CONFIRM_TIMEOUT_S = 30.0
_BACK_TRIES = 50


@dataclass(frozen=True, slots=True)
class Held:
    """One quarantined message with its reason."""

    id: str
    agency: str
    lane: str
    type: str | None
    disposition: str
    reason: str
    faults: list[dict[str, str]]
    received: str
    digest: str
    body: bytes

    def as_row(self) -> dict[str, Any]:
        """What a listing shows: identifiers and reasons, never the body."""
        return {
            "id": self.id,
            "agency": self.agency,
            "type": self.type,
            "disposition": self.disposition,
            "reason": self.reason,
            "faults": self.faults,
            "received": self.received,
            "lane": self.lane,
            "digest": self.digest,
            "size_bytes": len(self.body),
        }


def _held(delivery: Delivery) -> Held:
    headers = delivery.headers
    try:
        faults = json.loads(headers.get("x-cbm-faults", "[]"))
    except ValueError:
        faults = []
    return Held(
        id=delivery.message_id or f"sha256:{headers.get('x-cbm-digest', '')}",
        agency=str(headers.get("x-cbm-agency", delivery.app_id or "")),
        lane=str(headers.get("x-cbm-lane", "")),
        type=delivery.type,
        disposition=str(headers.get("x-cbm-disposition", "refused")),
        reason=str(headers.get("x-cbm-reason", "")),
        faults=faults,
        received=str(headers.get("x-cbm-received", "")),
        digest=str(headers.get("x-cbm-digest", "")),
        body=delivery.body,
    )


async def _walk(session: Session, visit: Callable[[Held, Delivery, Consumer], bool], limit: int) -> None:
    """Go through the queue from its head, at most `limit` messages, until `visit` says that it took one out."""
    channel = await session.channel()
    waiting, _ = await channel.declare_queue(QUARANTINE, passive=True)
    await channel.close()
    # With a full window nothing more comes; what lies deeper is reached by repairing what lies above.
    left = min(waiting, limit, 2000)
    if not left:
        return
    consumer = await session.consumer(QUARANTINE, prefetch=left)
    try:
        while left > 0:
            for delivery in await consumer.batch(left):
                left -= 1
                if visit(_held(delivery), delivery, consumer):
                    waiting -= 1
                    return
    finally:
        await consumer.close()
        await _until_back(session, waiting)


async def _until_back(session: Session, expected: int) -> None:
    """RabbitMQ gives back what a closed channel held a moment later: whoever looks next shall find it there."""
    channel = await session.channel()
    for _ in range(_BACK_TRIES):
        if (await channel.declare_queue(QUARANTINE, passive=True))[0] >= expected:
            break
        await asyncio.sleep(0.02)
    await channel.close()


async def listing(session: Session, limit: int = 1000) -> list[Held]:
    """Return what stands at the head of quarantine, oldest first; nothing is taken."""
    found: list[Held] = []

    def visit(held: Held, _: Delivery, __: Consumer) -> bool:
        found.append(held)
        return False

    await _walk(session, visit, limit)
    return found


async def find(session: Session, id_: str) -> list[Held]:
    """Return the quarantined messages of an id or digest.

    Raises:
        NotFound: there is none.
    """
    found = [held for held in await listing(session, 2000) if id_ in (held.id, held.digest)]
    if not found:
        raise NotFound(f"nothing of id {id_} stands in quarantine")
    return found


async def resend(session: Session, held: Held) -> None:
    """Send a message into its agency's lane again, to be decided anew; then take it out of quarantine.

    In this order: a crash between the two leaves it in quarantine too, and the second sending is known
    as a duplicate.
    """
    publisher = await session.publisher()
    props = properties(
        content_type=CONTENT_TYPE,
        headers={RESENT_HEADER: True},
        message_id=held.id if not held.id.startswith("sha256:") else None,
        app_id=held.agency,
    )
    await publisher.publish_confirmed(in_exchange(held.agency), held.lane, held.body, props, CONFIRM_TIMEOUT_S)
    await _remove(session, held)
    log.info("quarantine.resent", message_id=held.id, agency=held.agency, digest=held.digest)


async def discard(session: Session, held: Held, reason: str) -> None:
    """Take a message out of quarantine for good; the ledger keeps its record."""
    await _remove(session, held)
    log.info("quarantine.discarded", message_id=held.id, agency=held.agency, digest=held.digest, reason=reason)


async def _remove(session: Session, wanted: Held) -> None:
    removed = False

    def visit(held: Held, delivery: Delivery, consumer: Consumer) -> bool:
        nonlocal removed
        if (held.digest, held.agency, held.id, held.received) == (
            wanted.digest,
            wanted.agency,
            wanted.id,
            wanted.received,
        ):
            consumer.ack(delivery.tag)
            removed = True
        return removed

    await _walk(session, visit, 2000)
    if not removed:
        raise NotFound(f"{wanted.id} is no longer in quarantine")
