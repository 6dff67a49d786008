"""The flow through a real RabbitMQ: who receives what, and what the sender is told."""

import asyncio
from typing import Any

from schemas import parse
from tests import PATIENCE
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment


async def first(iterator: Any, timeout_s: float = 10) -> Any:
    return await asyncio.wait_for(anext(iterator), timeout_s * PATIENCE)


async def test_an_entitled_agency_receives_the_bytes_that_were_sent(house: House) -> None:
    await house.start()
    async with house.client(CUSTOMS) as customs, house.client(QUARANTINE) as quarantine:
        body = as_bytes(shipment())
        message = parse(body)
        published = await customs.publish_bytes(body, message.id, message.type)
        received = await first(quarantine.inbox("shipment"))
        assert received.body == body
        assert received.key == "shipment.held.KR.KRPUS"
        received.ack()
        receipt = await published.receipt()
        assert (receipt.disposition, receipt.of.id, receipt.recipients) == ("accepted", message.id, 1)


async def test_an_agency_without_an_agreement_receives_nothing(house: House) -> None:
    await house.start()
    async with house.client(CUSTOMS) as customs:
        message = parse(as_bytes(shipment()))
        assert (await (await customs.publish(message)).receipt()).disposition == "accepted"
    assert await house.messages_in(f"inbox.{BORDER}.shipment") == 0
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 1
    assert await house.messages_in(f"inbox.{CUSTOMS}.shipment") == 0


async def test_every_fault_of_a_refused_message_is_in_its_receipt_and_the_message_in_quarantine(house: House) -> None:
    await house.start()
    async with house.client(BORDER) as border:
        content = alert(source=CUSTOMS, specversion="0.3", tlp="PINK")
        receipt = await (await border.publish_bytes(as_bytes(content), content["id"], content["type"])).receipt()
        assert receipt.disposition == "refused"
        assert [f.pointer for f in receipt.faults or ()] == ["/specversion", "/tlp"]
        content = alert(source=CUSTOMS)
        receipt = await (await border.publish_bytes(as_bytes(content), content["id"], content["type"])).receipt()
        assert [(f.code, f.pointer) for f in receipt.faults or ()][:1] == [("wrong-source", "/source")]
    assert await house.messages_in("quarantine") == 2


async def test_the_same_content_is_a_duplicate_and_other_content_a_conflict(house: House) -> None:
    await house.start()
    async with house.client(CUSTOMS) as customs:
        content = shipment()
        results = []
        for changed in ({}, {}, {"subject": "OTHER"}):
            body = as_bytes(content | changed)
            results.append(
                (await (await customs.publish_bytes(body, content["id"], content["type"])).receipt()).disposition
            )
        assert results == ["accepted", "duplicate", "conflict"]
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 1
    assert await house.messages_in("quarantine") == 1
