"""Latency at rest: how long after its publish a message is in a recipient's hands, at 50 messages a second.

Publisher and receiver are this one process and read one clock; the contender stands between them.
"""

import asyncio
import time

from bench.job import SENDER
from bench.world import RECEIVERS, World, WrongResult
from broker.amqp import Confirmations, Session
from broker.names import LANES, inbox_queue, ingress_queue

PER_SECOND = 50
# The first ones open caches and files, and are not counted.
_WARM_UP = 50
_PATIENCE_S = 30.0


async def until_served(world: World) -> None:
    """Wait until the sender's queue is consumed, and the other lanes with it."""
    session = await Session.open(world.job.place.url, name="bench")
    deadline = time.monotonic() + _PATIENCE_S
    channel = await session.channel()
    while (await channel.declare_queue(ingress_queue(SENDER, LANES[-1]), passive=True))[1] == 0:
        if time.monotonic() > deadline:
            raise WrongResult(f"{world.job.contender} does not serve")
        await asyncio.sleep(0.05)
    await session.close()


async def measure(world: World, count: int) -> list[float]:
    """Publish `count` messages evenly; returns the milliseconds each took, the warm-up left out."""
    await until_served(world)
    incoming = await Session.open(world.job.place.url, name="bench in")
    outgoing = await Session.open(world.job.place.url, name="bench out")
    consumer = await incoming.consumer(inbox_queue(RECEIVERS[0], "shipment"), prefetch=0)
    publisher = await outgoing.publisher()
    sent: dict[str, float] = {}
    took: dict[str, float] = {}
    total = count + _WARM_UP

    async def receive() -> None:
        while len(took) < total:
            for delivery in await consumer.batch(1000):
                took[str(delivery.message_id)] = (time.perf_counter() - sent[str(delivery.message_id)]) * 1000
                # Given back at the end, when the connection closes: the check reads them again.

    receiving = asyncio.create_task(receive())
    try:
        group = Confirmations()
        began = time.perf_counter()
        for index in range(total):
            await asyncio.sleep(max(0.0, began + index / PER_SECOND - time.perf_counter()))
            id_ = world.new_message()
            sent[id_] = time.perf_counter()
            world.publish(publisher, id_, group)
        await asyncio.wait_for(receiving, _PATIENCE_S)
    except TimeoutError:
        raise WrongResult(f"{world.job.contender} delivered {len(took)} of {total}") from None
    finally:
        receiving.cancel()
        await incoming.close()
        await outgoing.close()
    return [took[id_] for id_ in sent][_WARM_UP:]
