"""The ledger on PostgreSQL: the same promises as on SQLite, several brokers, and a server that goes away."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from broker.decision import Earlier
from broker.ledger import Ledger, row_of
from broker.settings import Settings
from schemas.errors import LedgerUnavailable
from tests.harness import CUSTOMS, QUARANTINE, House, as_bytes, shipment, until
from tests.integration.postgresql import PostgreSQL
from tests.integration.tools import collecting, dispositions, flood, logged, said
from tests.unit.strategies import NOW
from tests.unit.test_decision import AGREEMENTS, arrival, decided, held
from tests.unit.test_ledger import row, seen


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server for this module."""
    private = PostgreSQL()

    async def prepare() -> None:
        await private.make()
        await private.start()

    asyncio.run(prepare())
    yield private
    private.destroy()


def settings_of(server: PostgreSQL, settings: Settings | None = None) -> Settings:
    base = settings or Settings()
    return base.model_copy(update={"ledger": base.ledger.model_copy(update={"url": server.url})})


@pytest.fixture
async def ledger(server: PostgreSQL) -> AsyncIterator[Ledger]:
    opened = Ledger.open(settings_of(server))
    with opened._engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE disposition")
    yield opened
    await opened.close()


async def test_what_was_recorded_is_there_after_opening_again(server: PostgreSQL, ledger: Ledger) -> None:
    body = as_bytes(held(id="1"))
    await ledger.record([row(decided(arrival(body)))])
    second = Ledger.open(settings_of(server))
    found = await second.find(id_="1")
    assert [(r.source, r.disposition, r.recipients, r.received) for r in found] == [
        (CUSTOMS, "accepted", {QUARANTINE: "customs-to-quarantine"}, NOW)
    ]
    assert await second.earlier([seen(body)]) == {
        (CUSTOMS, "1"): Earlier(hashlib.sha256(body).hexdigest(), "accepted", 1)
    }
    assert await second.counts() == [(CUSTOMS, "accepted", 1)]
    await second.close()


async def test_two_brokers_that_write_at_once_record_a_message_as_accepted_once(
    server: PostgreSQL, ledger: Ledger
) -> None:
    other = Ledger.open(settings_of(server))
    rows = [row(decided(arrival(held(id=str(number))))) for number in range(300)]
    await asyncio.gather(*(one.record(some) for one in (ledger, other) for some in (rows[:200], rows[100:], rows)))
    assert await ledger.counts() == [(CUSTOMS, "accepted", 300)]
    await other.close()


async def test_the_line_of_a_duplicate_does_not_stand_for_the_message_it_repeats(ledger: Ledger) -> None:
    body = as_bytes(held(id="1"))
    digest = hashlib.sha256(body).hexdigest()
    await ledger.record([row(decided(arrival(body), Earlier(digest, "accepted", 1)))])
    assert await ledger.earlier([seen(body, redelivered=True)]) == {}


@pytest.mark.parametrize(
    "body",
    [
        as_bytes({"id": "\0", "type": "\0"}),
        as_bytes({"id": "\ud800"}),
        as_bytes(held(id="\0", subject="\0", correlationid="\0")),
        as_bytes(held(id="\U0001f6a2" * 128, subject="\U0001f6a2" * 256, correlationid="\U0001f6a2" * 256)),
        as_bytes(held() | {"\0": "\0"}),
        b"\0",
    ],
    ids=["zero bytes", "half a character", "zero bytes in attributes", "the longest", "a zero byte's name", "one byte"],
)
async def test_no_message_makes_a_line_that_postgresql_refuses(ledger: Ledger, body: bytes) -> None:
    await ledger.record([row_of(decided(arrival(body, message_id="\0")), AGREEMENTS.version, NOW)])
    assert sum(count for _, _, count in await ledger.counts()) == 1


async def test_a_server_that_stopped_is_unavailable_and_serves_again_when_it_is_back(
    server: PostgreSQL, ledger: Ledger
) -> None:
    rows = [row(decided(arrival(held(id="s3cr3t"))))]
    await server.stop()
    questions: list[Any] = [ledger.record(rows), ledger.counts(), ledger.find(id_="s3cr3t")]
    for question in questions:
        with pytest.raises(LedgerUnavailable) as caught:
            await question
        assert "s3cr3t" not in str(caught.value)
    with pytest.raises(LedgerUnavailable):
        Ledger.open(settings_of(server))
    await server.start()
    await ledger.record(rows)
    assert len(await ledger.find(id_="s3cr3t")) == 1


async def test_a_broker_over_postgresql_tells_duplicates_and_conflicts(
    server: PostgreSQL, ledger: Ledger, house: House
) -> None:
    await house.start(settings_of(server, house.settings))
    content = shipment()
    sent = [content, content, content | {"subject": "other"}]
    assert await dispositions(house, CUSTOMS, sent) == ["accepted", "duplicate", "conflict"]
    assert [r.disposition for r in await ledger.find(id_=content["id"])] == ["accepted", "duplicate", "conflict"]


async def test_while_postgresql_is_down_messages_are_held_and_then_all_goes_on(
    server: PostgreSQL, ledger: Ledger, house: House
) -> None:
    await house.start(settings_of(server, house.settings))
    async with logged() as entries, collecting(house, f"inbox.{QUARANTINE}.shipment") as inbox:
        before = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(100)])
        await inbox.until_ids(before)
        await server.stop()
        during = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(100)])
        await until(said(entries, "ledger.unavailable"))
        await server.start()
        await inbox.until_ids(during)
        assert sorted(inbox.ids) == sorted(before + during)
        async with collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts:
            await receipts.until(200)
    assert await ledger.counts() == [(CUSTOMS, "accepted", 200)]
