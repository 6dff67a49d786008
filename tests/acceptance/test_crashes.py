"""Twenty crashes of each part under load, counted by ids.

*lost*: RabbitMQ confirmed it, and it is neither with its recipients nor in quarantine. *unexpected*: received,
but never published. *duplicated*: received more than once, which at-least-once allows and the id tells.
*recovered*: a fresh message passed after the crash, within the seconds named.
"""

import asyncio
import hashlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from broker.client import Client, connect
from broker.node import PrivateNode
from tests import PATIENCE
from tests.acceptance.seaport import BORDER, CUSTOMS, EXAMPLE, QUARANTINE, Running, Seaport, port, until
from tests.harness import alert, as_bytes, shipment

# Twenty starts of a RabbitMQ take four minutes on two cores that others use too, and twice that on slow ones.
pytestmark = pytest.mark.timeout(1500)

CRASHES = 20
ALERT_READERS = (QUARANTINE, BORDER)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seaport, PrivateNode]]:
    """A port of which only RabbitMQ runs, started by the test, so that the test may end it."""
    # Crash after crash lets the waits grow to their limit, which would be most of the time.
    with port(tmp_path_factory.mktemp("crash"), extra="\n[limits]\nretry_max_s = 1\n") as seaport:
        node = PrivateNode(seaport.state, server=os.environ.get("CBM_TEST_RABBITMQ_SERVER", ""), schedulers=1)
        asyncio.run(node.start())
        # Looked after by id from here on: each test has its own event loop.
        node._process = node._epmd = None
        yield seaport, node
        node._process = node._epmd = None
        asyncio.run(node.kill())


def serve(seaport: Seaport) -> Running:
    """Start the broker; returns when it consumes."""
    running = seaport.start("serve")
    until(lambda: running.logged("broker.started"), 60, "the broker's start")
    return running


def settled(seaport: Seaport) -> dict[str, list[str]]:
    """Every id that the ledger knows, with its dispositions."""
    found: dict[str, list[str]] = {}
    for id_, disposition in seaport.ledger("select id, disposition from disposition order by seq"):
        found.setdefault(id_, []).append(disposition)
    return found


@dataclass
class Load:
    """A client that publishes steadily, and remembers what RabbitMQ confirmed."""

    attempted: set[str] = field(default_factory=set)
    confirmed: dict[str, str] = field(default_factory=dict)
    """id -> what should become of it: shipment, alert, quarantine."""

    def _next(self) -> tuple[dict[str, Any], str]:
        kind = random.random()
        if kind < 0.03:
            return shipment(CUSTOMS, type="shipment.arrived", specversion="0.3"), "quarantine"
        if kind < 0.06:
            return shipment(CUSTOMS, type="shipment.arrived", tlp="RED", recipients=BORDER), "quarantine"
        if kind < 0.2:
            return alert(CUSTOMS), "alert"
        return shipment(CUSTOMS, type="shipment.arrived"), "shipment"

    async def _publish(self, client: Client, pause_s: float) -> None:
        while True:
            content, fate = self._next()
            self.attempted.add(content["id"])
            await client.publish_bytes(as_bytes(content), content["id"], content["type"])
            self.confirmed[content["id"]] = fate
            await asyncio.sleep(pause_s)

    @asynccontextmanager
    async def running(self, url: str, workers: int = 6, pause_s: float = 0.04) -> AsyncIterator[None]:
        """Publish within."""
        async with connect(url) as client:
            tasks = [asyncio.create_task(self._publish(client, pause_s)) for _ in range(workers)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [one for one in ended if not isinstance(one, asyncio.CancelledError)], ended

    def expected(self, reader: str) -> set[str]:
        """The ids that must reach a reader."""
        kinds = {QUARANTINE: ("shipment", "alert"), BORDER: ("alert",)}[reader]
        return {id_ for id_, fate in self.confirmed.items() if fate in kinds}


async def passes(url: str, broker: Running) -> float:
    """Send a fresh message and wait for its receipt; how long it took. What took long is told, for the report."""
    began, story = time.monotonic(), []

    def tell(text: str) -> None:
        story.append(f"{time.monotonic() - began:6.2f} s {text}")

    async with asyncio.timeout(60):
        while True:
            try:
                async with connect(url) as client:
                    tell("connected")
                    content = shipment(CUSTOMS, type="shipment.departed")
                    published = await client.publish_bytes(as_bytes(content), content["id"], content["type"])
                    tell("confirmed")
                    assert (await published.receipt(30)).disposition == "accepted"
                    tell("receipt")
                    break
            except Exception as error:
                tell(f"{type(error).__name__}: {error}")
            await asyncio.sleep(0.1)
    took_s = time.monotonic() - began
    if took_s > 10:
        lines = [line for line in broker.out.read_text().splitlines() if '"message.settled"' not in line]
        print(
            f"a recovery of {took_s:.1f} s at {datetime.now(UTC)}:", *story, "the broker's log:", *lines[-40:], sep="\n"
        )
    return took_s


async def ids_of(events: Any, wanted: set[str]) -> Counter[str]:
    """Read until all wanted is found, or nothing comes any more."""
    found: Counter[str] = Counter()
    missing = set(wanted)
    while missing:
        try:
            received = await asyncio.wait_for(anext(events), 10 * PATIENCE)
        except TimeoutError:
            break
        received.ack()
        found[received.message.id] += 1
        missing.discard(received.message.id)
    await events.aclose()
    return found


async def inboxes_of(seaport: Seaport, agency: str, wanted: set[str]) -> Counter[str]:
    """What lies in an agency's inboxes, which no adapter empties here."""
    kinds = {kind: set(wanted) for kind in ("alert", "shipment")}
    found: Counter[str] = Counter()
    async with connect(seaport.url(agency)) as client:
        for kind, all_ in kinds.items():
            found += await ids_of(client.inbox(kind), all_ - found.keys())
    return found


async def log_of(seaport: Seaport, agency: str, wanted: set[str]) -> Counter[str]:
    """What the log of an agency holds, from its beginning."""
    async with connect(seaport.url(agency)) as client:
        return await ids_of(client.replay(), wanted)


async def account(seaport: Seaport, load: Load, title: str, times: list[float]) -> None:
    """Count what became of everything, say it, and insist on it."""
    ids = set(load.confirmed)
    until(lambda: ids <= settled(seaport).keys(), 60, "a record of every confirmed id")
    ends = settled(seaport)
    lost: set[str] = set()
    unlogged: set[str] = set()
    unexpected: set[str] = set()
    duplicated = 0
    for reader in ALERT_READERS:
        wanted_here = load.expected(reader)
        found = await inboxes_of(seaport, reader, wanted_here)
        lost |= wanted_here - found.keys()
        logged = await log_of(seaport, reader, wanted_here)
        unlogged |= wanted_here - logged.keys()
        # Probes, and what earlier tests of this module sent, stand in the ledger.
        unexpected |= (found.keys() | logged.keys()) - load.attempted - ends.keys()
        duplicated += sum(count - 1 for id_, count in found.items() if id_ in ids)
    listed = {row["id"] for row in seaport.run("quarantine", "ls", "--limit", "2000").rows}
    lost |= {id_ for id_, fate in load.confirmed.items() if fate == "quarantine"} - listed
    # A stream is a view of what was delivered, never its only copy: RabbitMQ itself may lose the end of one
    # when it is killed. What counts is the inbox.
    print(
        f"{title}: {len(ids)} confirmed, {len(lost)} lost, {len(unexpected)} unexpected, {duplicated} duplicated, "
        f"{len(times)} of {CRASHES} recovered, slowest {max(times):.1f} s; {len(unlogged)} not in a log"
    )
    assert not lost
    assert not unexpected
    assert len(times) == CRASHES
    accepted = {id_: all_.count("accepted") for id_, all_ in ends.items() if id_ in load.confirmed}
    wanted = {id_: int(fate != "quarantine") for id_, fate in load.confirmed.items()}
    assert accepted == wanted, "each has exactly one accepted record, or none if it was refused"


async def test_twenty_kills_of_the_broker_lose_nothing(quiet: tuple[Seaport, PrivateNode]) -> None:
    seaport, _ = quiet
    broker = serve(seaport)
    load, times, url = Load(), [], seaport.url(CUSTOMS)
    async with load.running(url):
        for _ in range(CRASHES):
            await asyncio.sleep(random.uniform(0.2, 0.8))
            broker.end(signal.SIGKILL)
            began = time.monotonic()
            broker = await asyncio.to_thread(serve, seaport)
            await passes(url, broker)
            times.append(time.monotonic() - began)
    await account(seaport, load, "20 kill -9 of the broker", times)
    assert broker.end(signal.SIGTERM) == 0
    assert max(times) < 30


async def test_twenty_kills_of_an_adapter_lose_no_document_and_accept_none_twice(
    quiet: tuple[Seaport, PrivateNode],
) -> None:
    seaport, _ = quiet
    broker = serve(seaport)
    original = (EXAMPLE / "documents" / CUSTOMS / "declaration-plants.xml").read_bytes()
    assert b"IMP-26-0417" in original
    documents = [original.replace(b"IMP-26-0417", f"IMP-26-{n:05}".encode()) for n in range(300)]
    inbox, kept = seaport.of(CUSTOMS) / "inbox", seaport.of(CUSTOMS) / "kept"
    for n, content in enumerate(documents):
        seaport.drop(CUSTOMS, f"declaration-{n:05}.xml", content)

    def waiting() -> int:
        return sum(1 for p in inbox.iterdir() if not p.name.startswith("."))

    kills = 0
    while waiting() or kills < CRASHES:
        adapter = seaport.start("adapter", CUSTOMS)
        before = waiting()
        if kills < CRASHES:
            # In the midst of things: after a few documents have gone, at no particular moment.
            few = random.randint(1, 12)
            until(lambda gone=before - few: waiting() <= max(gone, 0), 60, "documents leaving")  # type: ignore[misc]
            await asyncio.sleep(random.uniform(0, 0.03))
            adapter.end(signal.SIGKILL)
            kills += 1
        else:
            until(lambda: waiting() == 0, 60, "the last document leaving")
            until(lambda: not list((seaport.of(CUSTOMS) / "sent").iterdir()), 120, "the last receipt")
            assert adapter.end(signal.SIGTERM) == 0
    digests = {hashlib.sha256(content).hexdigest() for content in documents}
    complete = {d for d in digests if (kept / d[:2] / d / "document.xml").exists()}
    made = seaport.ledger("select id, sum(disposition = 'accepted'), count(*) from disposition where source = ?"
                          " and type = 'shipment.declared' group by id", CUSTOMS)  # fmt: skip
    lost = len(digests) - len(complete)
    again = sum(count - accepted for _, accepted, count in made)
    print(f"20 kill -9 of an adapter: {len(documents)} documents, {lost} lost, {again} sent again and recognised")
    assert complete == digests
    assert not list((seaport.of(CUSTOMS) / "failed").iterdir())
    assert len(made) == len(documents), "one message for each document"
    assert {accepted for _, accepted, _ in made} == {1}
    assert broker.end(signal.SIGTERM) == 0


async def test_twenty_restarts_of_rabbitmq_lose_nothing_and_bring_every_consumer_back(
    quiet: tuple[Seaport, PrivateNode],
) -> None:
    seaport, node = quiet
    broker = serve(seaport)
    load, times, url = Load(), [], seaport.url(CUSTOMS)
    async with load.running(url):
        for number in range(CRASHES):
            await asyncio.sleep(random.uniform(0.2, 0.6))
            await (node.stop() if number % 4 == 0 else node.kill())
            await node.start()
            began = time.monotonic()
            await passes(url, broker)
            times.append(time.monotonic() - began)
    node._process = node._epmd = None
    await account(seaport, load, "20 restarts of RabbitMQ", times)
    rows = {row["queue"]: row for row in seaport.run("status").rows if "queue" in row}
    assert {rows[q]["consumers"] for q in rows if q.startswith("ingress.")} == {1}
    assert {rows[q]["waiting"] for q in rows if q.startswith("ingress.")} == {0}
    assert not broker.ended, "the broker lived through all of it"
    assert broker.end(signal.SIGTERM) == 0
    assert max(times) < 30
