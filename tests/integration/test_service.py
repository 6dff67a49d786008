"""The service on a real RabbitMQ: who receives what, in which order, and that no agency harms another."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import pytest

from broker.amqp import Confirmations, Properties, Session
from broker.settings import Agreement
from schemas.errors import NotAuthorised, PublishNacked
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment, until
from tests.integration.tools import WAIT_S, collecting, dispositions, flood, limited, logged, said


async def counts(house: House, kind: str) -> dict[str, int]:
    """How many messages of a kind wait for each agency."""
    return {agency: await house.messages_in(f"inbox.{agency}.{kind}") for agency in (CUSTOMS, QUARANTINE, BORDER)}


async def test_named_recipients_narrow_and_never_widen(house: House) -> None:
    await house.start()
    sent = [alert(CUSTOMS), alert(CUSTOMS, recipients=BORDER), alert(CUSTOMS, recipients=f"{BORDER} xx.nobody")]
    assert await dispositions(house, CUSTOMS, sent) == ["accepted"] * 3
    assert await counts(house, "alert") == {CUSTOMS: 0, QUARANTINE: 1, BORDER: 3}
    sent = [shipment(recipients=BORDER), shipment(recipients="")]
    assert await dispositions(house, CUSTOMS, sent) == ["undeliverable"] * 2
    assert await counts(house, "shipment") == {CUSTOMS: 0, QUARANTINE: 0, BORDER: 0}
    assert await house.messages_in("quarantine") == 2


async def test_red_reaches_those_it_names_where_the_agreement_carries_red(house: House) -> None:
    await house.start()
    sent = [shipment(tlp="RED", recipients=QUARANTINE), alert(CUSTOMS, tlp="RED", recipients=QUARANTINE)]
    assert await dispositions(house, CUSTOMS, sent) == ["accepted", "undeliverable"]
    assert await counts(house, "shipment") == {CUSTOMS: 0, QUARANTINE: 1, BORDER: 0}
    assert await counts(house, "alert") == {CUSTOMS: 0, QUARANTINE: 0, BORDER: 0}


async def test_what_had_expired_reaches_nobody_and_its_sender_is_told(house: House) -> None:
    await house.start()
    past, future = (datetime.now(UTC) + timedelta(minutes=m) for m in (-1, 5))
    sent = [shipment(expires=past.isoformat()), shipment(expires=future.isoformat())]
    assert await dispositions(house, CUSTOMS, sent) == ["expired", "accepted"]
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 1
    assert await house.messages_in("quarantine") == 1


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"id": "\U0001f6a2" * 128}, "accepted"),
        ({"correlationid": "c" * 256, "subject": "☂" * 256}, "accepted"),
        ({"id": "a\0b"}, "refused"),
        ({"type": "\ud800"}, "refused"),
        ({"x" * 100_000: 1}, "refused"),
        ({"id": 7, "type": ["\0"]}, "refused"),
    ],
    ids=["long id", "long keys", "zero byte", "no character", "long name", "no strings"],
)
async def test_no_odd_message_stops_the_lane_and_each_has_its_receipt(
    house: House, attributes: dict[str, Any], expected: str
) -> None:
    await house.start()
    odd = json.dumps(shipment() | attributes).encode()
    async with collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts:
        await _publish_raw(house, CUSTOMS, "shipment", odd)
        after = shipment()
        await flood(house, CUSTOMS, "shipment", [after])
        await receipts.until(2)
        assert [content["data"]["disposition"] for content in receipts.contents] == [expected, "accepted"]


async def _publish_raw(house: House, agency: str, lane: str, body: bytes, props: Properties | None = None) -> None:
    session = await Session.open(house.url(agency), name="raw")
    publisher = await session.publisher()
    group = Confirmations()
    publisher.publish(f"in.{agency}", lane, body, props or Properties(delivery_mode=2), group, 0)
    assert await group.wait(WAIT_S) == {}
    await session.close()


class HostileHeaders(Properties):
    """A header that no datetime can hold: decoding it raises in the client library."""

    def encode(self) -> list[bytes]:
        return [pika.BasicProperties.FLAG_HEADERS.to_bytes(2, "big"), b"\x00\x00\x00\x0b\x01aT", b"\x40" + b"\x00" * 7]


async def test_headers_made_to_break_the_broker_harm_nobody(house: House) -> None:
    await house.start()
    async with logged() as entries:
        await _publish_raw(house, BORDER, "alert", as_bytes(alert()), HostileHeaders())
        assert await dispositions(house, CUSTOMS, [shipment()]) == ["accepted"]
        async with collecting(house, f"inbox.{BORDER}.receipt") as receipts:
            await receipts.until(1)
            assert receipts.contents[0]["data"]["disposition"] == "accepted"
    assert not await said(entries, "amqp.lost")()


async def test_without_faults_each_of_thousands_arrives_once_in_the_order_of_its_lane(house: House) -> None:
    broker = await house.start(limited(house.settings, batch_messages=64))
    contents = [shipment(sequence=number) for number in range(4000)]
    async with (
        collecting(house, f"inbox.{QUARANTINE}.shipment") as inbox,
        collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts,
    ):
        assert len(await flood(house, CUSTOMS, "shipment", contents)) == 4000
        await inbox.until(4000)
        await receipts.until(4000)
        assert inbox.ids == [content["id"] for content in contents]
        assert {content["data"]["of"]["id"] for content in receipts.contents} == set(inbox.ids)
        assert {content["data"]["disposition"] for content in receipts.contents} == {"accepted"}
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 0
    # What was not acknowledged would now be back.
    await house.stop(broker)
    assert await house.messages_in(f"ingress.{CUSTOMS}.shipment") == 0


async def test_alerts_overtake_a_backlog_of_the_same_agency_and_of_another(house: House) -> None:
    contents = [shipment(sequence=number) for number in range(5000)]
    assert len(await flood(house, CUSTOMS, "shipment", contents)) == 5000
    alerts = await flood(house, CUSTOMS, "alert", [alert(CUSTOMS)]) + await flood(house, BORDER, "alert", [alert()])
    async with (
        collecting(house, f"inbox.{QUARANTINE}.shipment") as shipments,
        collecting(house, f"inbox.{QUARANTINE}.alert") as arrived,
    ):
        began = time.monotonic()
        await house.start()
        await arrived.until(2)
        alerts_s, ahead = time.monotonic() - began, len(shipments.deliveries)
        await shipments.until(5000, 60)
        backlog_s = time.monotonic() - began
        assert sorted(arrived.ids) == sorted(alerts)
    assert ahead < 2500, f"{ahead} shipments came before the alerts"
    assert alerts_s < backlog_s / 2


async def test_a_full_inbox_drops_its_oldest_harms_nobody_and_the_log_has_all(house: House) -> None:
    settings = limited(house.settings, inbox_messages=10)
    await house.start(settings)
    sent = [alert(CUSTOMS, id=f"a{number}") for number in range(30)]
    async with collecting(house, f"inbox.{BORDER}.alert") as border:
        assert await dispositions(house, CUSTOMS, sent) == ["accepted"] * 30
        await border.until(30)
        assert border.ids == [content["id"] for content in sent]
    async with collecting(house, f"inbox.{QUARANTINE}.alert") as quarantine:
        await quarantine.until(10)
        assert quarantine.ids == [content["id"] for content in sent[-10:]]
    async with house.client(QUARANTINE) as client:
        replay = client.replay("alert.#")
        assert [(await anext(replay)).message.id for _ in sent] == [content["id"] for content in sent]
        await replay.aclose()  # type: ignore[attr-defined]


async def test_a_full_ingress_queue_refuses_its_own_agency_only_and_what_it_took_arrives(house: House) -> None:
    house.settings = limited(house.settings, ingress_messages=20)
    await house.provision()
    confirmed: list[str] = []
    async with house.client(CUSTOMS) as customs, house.client(BORDER) as border:

        async def publish_until_refused() -> None:
            while True:
                id_ = str(len(confirmed))
                await customs.publish_bytes(as_bytes(shipment(id=id_)), id_, "shipment.held")
                confirmed.append(id_)

        with pytest.raises(PublishNacked):
            await publish_until_refused()
        assert len(confirmed) >= 20
        published = await border.publish_bytes(as_bytes(alert(id="a")), "a", "alert.issued")
        async with collecting(house, f"inbox.{QUARANTINE}.shipment") as inbox:
            await house.start()
            await inbox.until_ids(confirmed)
            assert inbox.ids[: len(confirmed)] == confirmed
        assert (await published.receipt()).disposition == "accepted"
        again = await customs.publish_bytes(as_bytes(shipment(id="after")), "after", "shipment.held")
        assert (await again.receipt()).disposition == "accepted"


async def test_a_full_quarantine_holds_what_is_refused_until_there_is_room_and_nobody_else(house: House) -> None:
    await house.start(limited(house.settings, quarantine_messages=5, batch_messages=5))
    bad = [shipment(id=f"bad{number}", tlp="PINK") for number in range(100)]
    async with logged() as entries, collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts:
        await flood(house, CUSTOMS, "shipment", bad)
        await until(said(entries, "message.held"))
        assert await dispositions(house, BORDER, [alert()]) == ["accepted"]
        assert await dispositions(house, CUSTOMS, [alert(CUSTOMS)]) == ["accepted"]
        assert len(receipts.deliveries) < 100
        async with collecting(house, "quarantine") as quarantine:
            await quarantine.until_ids(content["id"] for content in bad)
            await receipts.until(101)
        assert {d.headers["x-cbm-reason"] for d in quarantine.deliveries} == {"not-in-list"}


async def test_two_brokers_share_the_work_and_one_takes_over_when_the_other_ends(house: House) -> None:
    first = await house.start()
    starting = asyncio.create_task(house.start())
    async with collecting(house, f"inbox.{QUARANTINE}.shipment") as inbox:
        await starting
        before = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(50)])
        await inbox.until(50)
        stopping = asyncio.create_task(house.stop(first))
        during = await flood(house, CUSTOMS, "shipment", [shipment() for _ in range(500)])
        await stopping
        began = time.monotonic()
        after = await flood(house, CUSTOMS, "shipment", [shipment()])
        await inbox.until_ids(before + during + after, 10)
        assert time.monotonic() - began < 5
        assert sorted(set(inbox.ids)) == sorted(before + during + after)


async def test_an_agency_that_left_the_configuration_has_no_rights_and_its_inbox_is_kept(house: House) -> None:
    broker = await house.start()
    assert await dispositions(house, CUSTOMS, [alert(CUSTOMS)]) == ["accepted"]
    url = house.url(BORDER)
    connected = await Session.open(url, name="border")
    await house.stop(broker)
    agencies = tuple(agency for agency in house.settings.agency if agency.id != BORDER)
    agreements = tuple(
        Agreement.model_validate(
            agreement.model_dump(by_alias=True)
            | {"from": [a for a in agreement.from_ if a != BORDER], "to": [a for a in agreement.to if a != BORDER]}
        )
        for agreement in house.settings.agreement
    )
    smaller = house.settings.model_copy(update={"agency": agencies, "agreement": agreements})
    await house.start(smaller)
    await asyncio.wait_for(asyncio.shield(connected.lost), WAIT_S)
    with pytest.raises(NotAuthorised):
        await Session.open(url, name="border")
    assert await dispositions(house, CUSTOMS, [alert(CUSTOMS)]) == ["accepted"]
    assert await house.messages_in(f"inbox.{BORDER}.alert") == 1
    assert await house.messages_in(f"inbox.{QUARANTINE}.alert") == 2
    bindings = await house.node.management.get(f"exchanges/{house.vhost}/feed.{BORDER}/bindings/destination")
    assert bindings == []
    assert BORDER not in {user["name"] for user in await house.node.management.get("users")}


async def test_a_replay_from_a_moment_has_no_receipts_from_before_it(house: House) -> None:
    await house.start()
    assert await dispositions(house, CUSTOMS, [shipment(id="before"), shipment(id="before2")]) == ["accepted"] * 2
    moment = datetime.now(UTC)
    assert await dispositions(house, CUSTOMS, [shipment(id="after")]) == ["accepted"]
    async with house.client(CUSTOMS) as client:
        replay = client.replay("receipt.#", since=moment)
        first: Any = (await asyncio.wait_for(anext(replay), WAIT_S)).message
        assert first.data.of.id == "after"
        await replay.aclose()  # type: ignore[attr-defined]
