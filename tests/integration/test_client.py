"""The client library as an agency's programmer uses it, over connections that break."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.client import Client, Received, connect
from broker.node import free_port
from schemas import parse
from schemas.errors import (
    ConfigError,
    ConnectionLost,
    InvalidMessage,
    NotAuthorised,
    PublishReturned,
    TimedOut,
    Unreachable,
)
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment, until
from tests.integration.conftest import forget_processes
from tests.integration.proxy import BASIC_ACK, BASIC_DELIVER, Proxy, proxied
from tests.integration.tools import collecting, dispositions, flood

WAIT_S = 20.0
INBOX = f"inbox.{QUARANTINE}.shipment"


@asynccontextmanager
async def through(house: House, agency: str) -> AsyncIterator[tuple[Client, Proxy]]:
    """A client whose connections pass a proxy."""
    async with proxied(house.url(agency)) as proxy, connect(proxy.url) as client:
        yield client, proxy
        proxy.heal()


async def publish(client: Client, content: dict[str, Any]) -> Any:
    return await client.publish_bytes(as_bytes(content), content["id"], content["type"])


async def first(iterator: AsyncIterator[Received]) -> Received:
    return await asyncio.wait_for(anext(iterator), WAIT_S)


@asynccontextmanager
async def closing(iterator: Any) -> AsyncIterator[AsyncIterator[Received]]:
    """Use an iterator and let it go at once."""
    async with contextlib.aclosing(iterator) as opened:
        yield opened


async def test_a_publish_whose_confirm_was_lost_is_repeated_and_delivered_once(house: House) -> None:
    await house.start()
    async with through(house, CUSTOMS) as (client, proxy), collecting(house, INBOX) as inbox:
        await publish(client, shipment(id="warm"))
        proxy.faults["down"].cut_before = (BASIC_ACK, 0)
        published = await asyncio.wait_for(publish(client, shipment(id="cut")), WAIT_S)
        assert proxy.faults["down"].cut_before is None, "nothing was cut"
        # Of the two that reached RabbitMQ one is accepted and the other a duplicate; the client hears the first.
        receipt = await published.receipt(WAIT_S)
        assert receipt.disposition in ("accepted", "duplicate")
        async with collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts:
            await receipts.until(3)
            told = [(c["data"]["of"]["id"], c["data"]["disposition"]) for c in receipts.contents]
            assert told == [("warm", "accepted"), ("cut", "accepted"), ("cut", "duplicate")]
        await publish(client, shipment(id="after"))
        await inbox.until_ids(["after"])
        assert inbox.ids == ["warm", "cut", "after"]


@pytest.mark.parametrize("passed", [0, 20, 700, 4_000])
async def test_publishes_under_way_survive_a_cut_connection_without_loss_or_repetition(
    house: House, passed: int
) -> None:
    await house.start()
    async with through(house, CUSTOMS) as (client, proxy), collecting(house, INBOX) as inbox:
        await publish(client, shipment(id="warm"))
        ids = [f"s{number}" for number in range(40)]
        proxy.faults["up"].cut_after = passed
        sent = await asyncio.wait_for(asyncio.gather(*(publish(client, shipment(id=id_)) for id_ in ids)), WAIT_S)
        assert proxy.accepted > 2, "nothing was cut"
        assert [one.message_id for one in sent] == ids
        receipts = await asyncio.gather(*(one.receipt(WAIT_S) for one in sent))
        assert {receipt.disposition for receipt in receipts} <= {"accepted", "duplicate"}
        await inbox.until_ids(ids)
        assert sorted(inbox.ids) == sorted(["warm", *ids])


async def test_a_publish_waits_for_a_rabbitmq_that_is_away(house: House) -> None:
    await house.start()
    async with through(house, CUSTOMS) as (client, proxy):
        proxy.refusing = True
        proxy.reset()
        publishing = asyncio.create_task(publish(client, shipment(id="late")))
        tries = proxy.accepted

        async def tried() -> bool:
            return proxy.accepted >= tries + 3

        await until(tried)
        assert not publishing.done()
        proxy.heal()
        receipt = await (await asyncio.wait_for(publishing, WAIT_S)).receipt(WAIT_S)
        assert receipt.disposition == "accepted"


async def test_receipts_come_for_what_was_published_before_the_connection_broke(house: House) -> None:
    async with through(house, CUSTOMS) as (client, proxy):
        published = await publish(client, shipment(id="early"))
        proxy.reset()
        await house.start()
        assert (await published.receipt(WAIT_S)).disposition == "accepted"


async def test_a_receipt_that_does_not_come_is_a_time_out_and_may_be_awaited_again(house: House) -> None:
    async with house.client(CUSTOMS) as client:
        published = await publish(client, shipment())
        with pytest.raises(TimedOut):
            await published.receipt(0.1)
        await house.start()
        assert (await published.receipt(WAIT_S)).disposition == "accepted"


async def test_each_receipt_reaches_its_own_publish(house: House) -> None:
    await house.start()
    async with house.client(CUSTOMS) as client:
        contents = [shipment(id=f"s{n}") if n % 2 else shipment(id=f"s{n}", tlp="PINK") for n in range(50)]
        sent = await asyncio.gather(*(publish(client, content) for content in contents))
        receipts = await asyncio.gather(*(one.receipt(WAIT_S) for one in sent))
        assert [r.of.id for r in receipts] == [content["id"] for content in contents]
        assert [r.disposition for r in receipts] == ["refused", "accepted"] * 25


async def test_a_composed_message_is_one_that_the_broker_takes(house: House) -> None:
    await house.start()
    async with house.client(CUSTOMS) as client:
        message = client.compose("shipment.released", "6KR1", shipment()["data"], tlp="AMBER")
        assert (message.source, message.tlp) == (CUSTOMS, "AMBER")
        assert (await (await client.publish(message)).receipt(WAIT_S)).disposition == "accepted"
        with pytest.raises(InvalidMessage):
            client.compose("shipment.released", "6KR1", {"identifiers": []})


async def test_leaving_a_message_acknowledges_it_and_an_exception_gives_it_back(house: House) -> None:
    await house.start()
    assert await dispositions(house, CUSTOMS, [shipment(id="1"), shipment(id="2")]) == ["accepted"] * 2
    async with house.client(QUARANTINE) as client, closing(client.inbox("shipment")) as inbox:
        received = await first(inbox)
        assert received.message.id == "1"
        with pytest.raises(RuntimeError):
            async with received:
                raise RuntimeError("its system is down")
        seen = []
        for _ in range(2):
            received = await first(inbox)
            async with received as message:
                seen.append((message.id, received.redelivered))
        assert sorted(seen) == [("1", True), ("2", False)]

    async def empty() -> bool:
        return await house.messages_in(INBOX) == 0

    await until(empty)


async def test_what_was_not_acknowledged_comes_again_to_the_next(house: House) -> None:
    await house.start()
    assert await dispositions(house, CUSTOMS, [shipment(id="1")]) == ["accepted"]
    for redelivered in (False, True):
        async with house.client(QUARANTINE) as client, closing(client.inbox("shipment")) as inbox:
            received = await first(inbox)
            assert (received.message.id, received.redelivered) == ("1", redelivered)


async def test_an_inbox_goes_on_after_its_connection_broke_and_misses_nothing(house: House) -> None:
    await house.start()
    async with through(house, QUARANTINE) as (client, proxy), closing(client.inbox("shipment")) as inbox:
        seen: list[str] = []
        for round_ in range(3):
            ids = [f"{round_}-{number}" for number in range(20)]
            proxy.faults["down"].cut_before = (BASIC_DELIVER, 10)
            await flood(house, CUSTOMS, "shipment", [shipment(id=id_) for id_ in ids])
            while not set(ids) <= set(seen):
                async with await first(inbox) as message:
                    seen.append(message.id)
            assert proxy.faults["down"].cut_before is None, "nothing was cut"


async def test_a_subscription_sees_its_pattern_only_and_a_named_one_collects_while_nobody_listens(
    house: House,
) -> None:
    await house.start()
    async with house.client(QUARANTINE) as client:
        ready = asyncio.Event()
        async with closing(client.subscribe("shipment.held.#", name="holds", ready=ready)) as subscription:
            waiting = asyncio.create_task(anext(subscription))  # type: ignore[arg-type]
            await asyncio.wait_for(ready.wait(), WAIT_S)
            await dispositions(house, CUSTOMS, [shipment(id="r", type="shipment.released"), shipment(id="h")])
            async with await asyncio.wait_for(waiting, WAIT_S) as message:
                assert message.id == "h"
    await dispositions(house, CUSTOMS, [shipment(id="meanwhile")])
    async with (
        house.client(QUARANTINE) as client,
        closing(client.subscribe("shipment.held.#", name="holds")) as subscription,
        await first(subscription) as message,
    ):
        assert message.id == "meanwhile"


async def _take(replay: AsyncIterator[Received], count: int) -> list[tuple[int, str]]:
    return [(int(r.offset or 0), r.message.id) for r in [await first(replay) for _ in range(count)]]


async def test_a_replay_starts_at_the_first_at_an_offset_or_at_a_moment_and_goes_on_live(house: House) -> None:
    await house.start()
    early = [shipment(id=f"early{number}") for number in range(5)]
    await dispositions(house, CUSTOMS, early)
    moment = datetime.now(UTC)
    await dispositions(house, CUSTOMS, [shipment(id=f"late{number}") for number in range(5)])
    async with house.client(QUARANTINE) as client:
        async with closing(client.replay("shipment.#")) as replay:
            everything = await _take(replay, 10)
            assert [id_ for _, id_ in everything] == [f"{when}{n}" for when in ("early", "late") for n in range(5)]
            await dispositions(house, CUSTOMS, [shipment(id="live")])
            everything += await _take(replay, 1)
            assert everything[-1][1] == "live"
        async with closing(client.replay(offset=everything[3][0])) as replay:
            assert await _take(replay, 8) == everything[3:]
        async with closing(client.replay(since=moment)) as replay:
            assert await _take(replay, 6) == everything[5:]
        age = datetime.now(UTC) - moment + timedelta(seconds=0)
        async with closing(client.replay(since=age)) as replay:
            assert await _take(replay, 6) == everything[5:]


async def test_a_replay_takes_its_pattern_only_and_leaves_the_log_as_it_is(house: House) -> None:
    await house.start()
    await dispositions(house, CUSTOMS, [shipment(), alert(CUSTOMS, id="a"), shipment()])
    async with house.client(QUARANTINE) as client:
        for _ in range(2):
            async with closing(client.replay("alert.*.severe.#")) as replay:
                received = await first(replay)
                assert received.message.id == "a"


async def test_a_replay_goes_on_without_a_gap_or_a_repetition_when_its_connection_is_cut(house: House) -> None:
    await house.start()
    ids = [f"s{number}" for number in range(300)]
    sending = asyncio.create_task(flood(house, CUSTOMS, "shipment", [shipment(id=id_) for id_ in ids]))
    async with through(house, QUARANTINE) as (client, proxy), closing(client.replay()) as replay:
        proxy.faults["down"].cut_before = (BASIC_DELIVER, 30)
        seen = await _take(replay, 40)
        assert proxy.faults["down"].cut_before is None, "nothing was cut"
        for count in (1, 9, 50, 100):
            proxy.reset()
            seen += await _take(replay, count)
        proxy.reset()
        seen += await _take(replay, 100)
        await sending
        assert seen == list(enumerate(ids))


async def test_a_replay_goes_on_live_across_a_restart_of_rabbitmq(own_house: House) -> None:
    house = own_house
    await house.start()
    await dispositions(house, CUSTOMS, [shipment(id="before")])
    async with (
        house.client(QUARANTINE) as client,
        house.client(CUSTOMS) as customs,
        closing(client.replay(since=timedelta(minutes=5))) as replay,
    ):
        assert (await first(replay)).message.id == "before"
        await house.node.stop()
        publishing = asyncio.create_task(publish(customs, shipment(id="during")))
        await house.node.start()
        forget_processes(house.node)
        published = await asyncio.wait_for(publishing, 60)
        assert (await published.receipt(60)).disposition in ("accepted", "duplicate")
        received = await asyncio.wait_for(anext(replay), 60)
        assert (received.message.id, received.offset) == ("during", 1)


async def test_why_a_client_cannot_connect_is_told_by_class(house: House) -> None:
    url = house.url(CUSTOMS)
    password = url.rpartition("@")[0].rpartition(":")[2]
    with pytest.raises(NotAuthorised) as refused:
        await connect(url.replace(password, "s3cr3t"))
    assert "s3cr3t" not in str(refused.value)
    with pytest.raises(NotAuthorised):
        await connect(url.rpartition("/")[0] + "/elsewhere")
    with pytest.raises(Unreachable):
        await connect(f"amqp://{CUSTOMS}:x@127.0.0.1:{free_port()}/cbm")


@pytest.mark.parametrize("url", ["", "amqp://host/", "amqp://[::1"])
async def test_a_url_without_an_agency_is_a_fault_of_the_configuration(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CBM_URL", raising=False)
    with pytest.raises(ConfigError):
        connect(url)


async def test_without_a_url_the_environment_names_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBM_URL", house.url(CUSTOMS))
    async with connect() as client:
        assert client.agency == CUSTOMS


async def test_a_type_of_no_lane_is_returned_and_the_client_goes_on(house: House) -> None:
    await house.start()
    async with house.client(CUSTOMS) as client:
        with pytest.raises(PublishReturned):
            await client.publish_bytes(b"{}", "1", "weather.fine")
        assert (await (await publish(client, shipment())).receipt(WAIT_S)).disposition == "accepted"


async def test_a_client_of_an_agency_that_lost_its_rights_is_told_so(house: House) -> None:
    async with house.client(BORDER) as client:
        await publish(client, alert())
        nothing = {"configure": "^$", "write": "^$", "read": ".*"}
        await house.node.management.put(f"permissions/{house.vhost}/{BORDER}", nothing)

        async def refused() -> bool:
            # RabbitMQ keeps what a channel was allowed before; another channel asks anew.
            client._publisher = None
            try:
                await asyncio.wait_for(publish(client, alert()), WAIT_S)
            except NotAuthorised:
                return True
            return False

        await until(refused)


async def test_a_closed_client_publishes_no_more_and_takes_its_queue_with_it(house: House) -> None:
    async with house.client(CUSTOMS) as client:
        await publish(client, shipment())
        own = client._receipt_queue
        assert await house.messages_in(own) == 0
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(publish(client, shipment()), WAIT_S)
    queues = await house.node.management.get(f"queues/{house.vhost}")
    assert own not in {queue["name"] for queue in queues}


async def test_a_message_of_a_later_version_still_shows_its_bytes(house: House) -> None:
    body = json.dumps(shipment(dataschema="urn:cbm:shipment:2")).encode()
    received = Received(type("D", (), {"body": body, "key": "k", "redelivered": False, "stream_offset": None}), None)  # type: ignore[arg-type]
    with pytest.raises(InvalidMessage):
        _ = received.message
    assert received.body == body
    with pytest.raises(InvalidMessage):
        parse(body)
