"""Faults around a running broker: queues, ledger, connections and RabbitMQ itself go away and come back.

What RabbitMQ confirmed to a sender must arrive all the same, whatever happened in between.
"""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from broker.amqp import Confirmations, Session, properties
from broker.management import quoted
from schemas.envelope import CONTENT_TYPE
from schemas.errors import CbmError, TransportError
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment, until
from tests.integration.conftest import forget_processes
from tests.integration.tools import WAIT_S, Collector, collecting, dispositions, flood, logged, said

INBOX = f"inbox.{QUARANTINE}.shipment"


async def test_a_lane_whose_queue_was_deleted_asks_for_it_again_and_the_others_go_on(house: House) -> None:
    await house.start()
    async with logged() as entries:
        session = await Session.open(house.place.url, name="operator")
        await (await session.channel()).delete_queue(f"ingress.{CUSTOMS}.shipment")
        await session.close()
        assert await dispositions(house, BORDER, [alert()]) == ["accepted"]
        await until(said(entries, "consumer.cancelled"))

        async def consumed() -> bool:
            queues = await house.node.management.get(f"queues/{quoted(house.vhost)}")
            return any(q["name"] == f"ingress.{CUSTOMS}.shipment" and q.get("consumers") for q in queues)

        await until(consumed, WAIT_S)
        assert await dispositions(house, CUSTOMS, [shipment()]) == ["accepted"]

        async def as_many_channels_as_lanes() -> bool:
            connections = await house.node.management.get(f"vhosts/{quoted(house.vhost)}/connections")
            mine = [c for c in connections if "broker test in" in str(c.get("client_properties"))]
            return bool(mine) and mine[0].get("channels") == 2 * len(house.settings.agency)

        await until(as_many_channels_as_lanes, WAIT_S)
    assert not await said(entries, "amqp.lost")()


async def test_a_quarantine_that_was_deleted_is_made_again_and_what_waited_for_it_is_in_it(house: House) -> None:
    await house.start()
    session = await Session.open(house.place.url, name="operator")
    await (await session.channel()).delete_queue("quarantine")
    await session.close()
    bad = [shipment(tlp="PINK") for _ in range(20)]
    async with logged() as entries:
        assert await dispositions(house, CUSTOMS, bad) == ["refused"] * 20
    assert await said(entries, "message.held")()
    assert await house.messages_in("quarantine") == 20


async def test_the_brokers_exchange_that_was_deleted_is_made_again_and_nothing_is_lost(house: House) -> None:
    await house.start()
    session = await Session.open(house.place.url, name="operator")
    channel = await session.channel()
    async with collecting(house, INBOX) as inbox:
        confirmed = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(200)])
        await channel._call(channel._channel.exchange_delete, "deliver")
        confirmed += await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(200)])
        await inbox.until_ids(confirmed)
    await session.close()


@asynccontextmanager
async def locked(path: Any) -> AsyncIterator[None]:
    """Hold the ledger's file so that nobody else can write."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_while_the_ledger_is_locked_nothing_is_acknowledged_and_then_all_goes_on(house: House) -> None:
    await house.start()
    async with collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts, collecting(house, INBOX) as inbox:
        async with locked(house.folder / "ledger.sqlite"):
            confirmed = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(500)])
            await inbox.until(1)
            assert receipts.deliveries == []
        await receipts.until(500)
        assert inbox.ids == confirmed
        assert {content["data"]["disposition"] for content in receipts.contents} == {"accepted"}


async def test_while_the_ledger_is_gone_messages_are_held_and_then_all_goes_on(house: House) -> None:
    await house.start()
    other = sqlite3.connect(house.folder / "ledger.sqlite", isolation_level=None)
    async with logged() as entries, collecting(house, INBOX) as inbox:
        before = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(50)])
        await inbox.until_ids(before)
        other.execute("ALTER TABLE disposition RENAME TO away")
        during = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(50)])
        await until(said(entries, "ledger.unavailable"))
        other.execute("ALTER TABLE away RENAME TO disposition")
        await inbox.until_ids(during)
        # The last recorded is the last settled: then each stands in the ledger once.
        await until(lambda: _recorded(house, 100))
        assert sorted(inbox.ids) == sorted(before + during)
    other.close()


async def _recorded(house: House, count: int) -> bool:
    with contextlib.closing(sqlite3.connect(house.folder / "ledger.sqlite")) as reader:
        query = "SELECT count(*), count(DISTINCT id) FROM disposition WHERE disposition = 'accepted'"
        rows: tuple[int, int] = reader.execute(query).fetchone()
    assert rows[0] == rows[1]
    return rows[0] == count


async def test_a_broker_that_is_told_to_stop_while_the_ledger_is_away_stops_and_loses_nothing(house: House) -> None:
    settings = house.settings.model_copy(update={"limits": house.settings.limits.model_copy(update={"drain_s": 0.5})})
    broker = await house.start(settings)
    other = sqlite3.connect(house.folder / "ledger.sqlite", isolation_level=None)
    other.execute("ALTER TABLE disposition RENAME TO away")
    async with logged() as entries:
        confirmed = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(50)])
        await until(said(entries, "ledger.unavailable"))
        await asyncio.wait_for(house.stop(broker), 30)
    other.execute("ALTER TABLE away RENAME TO disposition")
    other.close()
    async with collecting(house, INBOX) as inbox:
        await house.start()
        await inbox.until_ids(confirmed)


async def test_a_lane_in_which_a_repeat_was_recorded_before_the_first_one_delivers_the_first_one(house: House) -> None:
    # As after a crash between the two: only the repeat stands in the ledger, and both come again.
    broker = await house.start()
    body = shipment(id="twice")
    assert await dispositions(house, CUSTOMS, [body, body]) == ["accepted", "duplicate"]
    await house.stop(broker)
    other = sqlite3.connect(house.folder / "ledger.sqlite", isolation_level=None)
    other.execute("DELETE FROM disposition WHERE disposition = 'accepted'")
    other.close()
    await flood(house, CUSTOMS, "shipment", [body, body])
    session = await Session.open(house.place.url, name="crashing broker")
    consumer = await session.consumer(f"ingress.{CUSTOMS}.shipment", prefetch=10)
    taken: list[Any] = []
    while len(taken) < 2:
        taken += await asyncio.wait_for(consumer.batch(10), WAIT_S)
    session.abort("crash")
    async with collecting(house, INBOX) as inbox:
        await house.start()
        await inbox.until(2)
        assert inbox.ids == ["twice", "twice"]


class Sender:
    """Publishes without end as an agency, over connections that may be cut, and keeps what was confirmed."""

    def __init__(self, house: House, agency: str, lane: str) -> None:
        self._house, self._agency, self._lane = house, agency, lane
        self.confirmed: list[str] = []
        self.attempted: set[str] = set()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                session = await Session.open(self._house.url(self._agency), name="sender")
                publisher = await session.publisher()
                while True:
                    await self._round(publisher)
            except (CbmError, OSError):
                await asyncio.sleep(0.02)

    async def _round(self, publisher: Any) -> None:
        group, ids = Confirmations(), []
        for number in range(20):
            content = shipment() if self._lane == "shipment" else alert(self._agency)
            ids.append(content["id"])
            self.attempted.add(content["id"])
            props = properties(content_type=CONTENT_TYPE, message_id=content["id"])
            publisher.publish(f"in.{self._agency}", self._lane, as_bytes(content), props, group, number)
        failures = await group.wait(WAIT_S)
        self.confirmed += [id_ for number, id_ in enumerate(ids) if number not in failures]
        for error in failures.values():
            if isinstance(error, TransportError):
                raise error
        await asyncio.sleep(0.005)

    async def until(self, count: int) -> None:
        """Wait until so many more were confirmed."""
        wanted = len(self.confirmed) + count

        async def enough() -> bool:
            return len(self.confirmed) >= wanted

        await until(enough, WAIT_S)

    async def stop(self) -> None:
        """Stop publishing."""
        # Python 3.11's `wait_for` forgets a cancellation that comes together with what it waits for.
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def _nothing_lost(sender: Sender, inbox: Collector) -> None:
    await inbox.until_ids(sender.confirmed, 60)
    assert set(inbox.ids) <= sender.attempted


async def test_connections_that_operators_close_under_load_lose_nothing(house: House) -> None:
    await house.start()
    sender = Sender(house, CUSTOMS, "shipment")
    management = house.node.management
    chance = random.Random(7)

    async def close_one() -> bool:
        connections = [
            c["name"]
            for c in await management.get("connections")
            if c.get("vhost") == house.vhost and "collector" not in str(c.get("client_properties"))
        ]
        if not connections:
            return False
        await management.delete(f"connections/{quoted(chance.choice(connections))}")
        return True

    async with logged() as entries, collecting(house, INBOX) as inbox:
        # The management API lists connections every five seconds only; each listing serves for several cuts.
        for _ in range(6):
            await sender.until(100)
            await until(close_one, WAIT_S)
        await until(said(entries, "amqp.lost"), WAIT_S)
        await sender.until(100)
        await sender.stop()
        await _nothing_lost(sender, inbox)


async def test_the_brokers_connections_given_up_at_any_moment_lose_nothing_and_keep_the_order_of_firsts(
    house: House,
) -> None:
    sessions: list[Session] = []
    opening = Session.open

    async def remembered(*args: Any, **kwargs: Any) -> Session:
        session = await opening(*args, **kwargs)
        if kwargs.get("name", "").startswith("cbm broker"):
            sessions.append(session)
        return session

    chance = random.Random(11)
    contents = [shipment(sequence=number) for number in range(3000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "open", remembered)
        async with collecting(house, INBOX) as inbox:
            await house.start()
            flooding = asyncio.create_task(flood(house, CUSTOMS, "shipment", contents))
            for cut in range(12):
                await inbox.until((cut + 1) * 100)
                live = [session for session in sessions if session.is_open]
                if live:
                    chance.choice(live).abort("cut by the test")
                await asyncio.sleep(chance.random() * 0.02)
            confirmed = await flooding
            await inbox.until_ids(confirmed, 60)
            assert len(confirmed) == 3000
            firsts = list(dict.fromkeys(inbox.ids))
            assert firsts == [content["id"] for content in contents]
        assert len(sessions) > 6


async def test_rabbitmq_stopped_and_started_under_load_loses_nothing(own_house: House) -> None:
    house = own_house
    broker = await house.start()
    sender = Sender(house, CUSTOMS, "shipment")
    for round_ in range(3):
        # Only when all of it is up again: a RabbitMQ 3.10 that is killed while it starts its streams may leave one
        # without a leader, which is then "down or inaccessible" for minutes.
        await asyncio.wait_for(broker.serving.wait(), WAIT_S)
        await sender.until(200)
        if round_ == 1:
            await house.node.kill()
        else:
            await house.node.stop()
        await house.node.start()
        forget_processes(house.node)
    await sender.until(200)
    await sender.stop()
    async with collecting(house, INBOX) as inbox:
        await _nothing_lost(sender, inbox)


async def test_the_feeds_connection_that_operators_close_costs_own_queues_nothing_and_others_no_repetition(
    house: House,
) -> None:
    await house.start()
    management = house.node.management
    own = f"sub.{QUARANTINE}.own"
    session = await Session.open(house.url(QUARANTINE), name="own")
    channel = await session.channel()
    await channel.declare_queue(own)
    await channel.bind_queue(own, f"feed.{QUARANTINE}", "#")
    await session.close()

    async def feeds() -> list[str]:
        found = await management.get("connections?columns=name,vhost,client_properties")
        return [c["name"] for c in found if c["vhost"] == house.vhost and "test feeds" in str(c["client_properties"])]

    async with (
        logged() as entries,
        collecting(house, INBOX) as inbox,
        collecting(house, own) as copies,
        collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts,
    ):
        (connection,) = await until(feeds)

        async def cut() -> None:
            await copies.until(200)
            await management.delete(f"connections/{quoted(connection)}")

        contents = [shipment() for _ in range(2000)]
        sent, _ = await asyncio.gather(flood(house, CUSTOMS, "shipment", contents), cut())
        await receipts.until(2000)
        await copies.until_ids(sent)
        assert inbox.ids == sent
        firsts = list(dict.fromkeys(copies.ids))
        assert firsts == sent
        # A feed's exchange that is gone ends the connection too, and is made again.
        await management.delete(f"exchanges/{quoted(house.vhost)}/feed.{QUARANTINE}")
        last = await flood(house, CUSTOMS, "shipment", [shipment()])
        await inbox.until_ids(last)
        assert len(inbox.deliveries) == 2001
    assert await said(entries, "feed.lost")()
    assert not await said(entries, "amqp.lost")()
    assert not await said(entries, "message.held")()
