"""The wire contract, by a client that knows nothing of cbm but its page of documentation: plain pika, blocking.

And its other side: everything that an agency's user is not to do is refused by RabbitMQ itself.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests import PATIENCE
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment
from tests.integration.tools import dispositions

STRUCTURED = "application/cloudevents+json"


def on_channel(url: str, work: Callable[[BlockingChannel], Any]) -> Any:
    """Run something on a channel of its own; the connection ends with it."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        return work(connection.channel())
    finally:
        if connection.is_open:
            connection.close()


async def in_thread(url: str, work: Callable[[BlockingChannel], Any]) -> Any:
    return await asyncio.to_thread(on_channel, url, work)


def take(channel: BlockingChannel, queue: str, timeout_s: float = 10) -> tuple[Any, Any, bytes]:
    """Get one message, waiting for it."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while time.monotonic() < deadline:
        method, props, body = channel.basic_get(queue, auto_ack=True)
        if method is not None:
            return method, props, body
        channel.connection.sleep(0.02)
    raise AssertionError(f"nothing came to {queue}")


def send(channel: BlockingChannel, agency: str, content: dict[str, Any], **properties: Any) -> None:
    """Publish as the contract says: direct exchange, key of the lane, mandatory, persistent, confirmed."""
    channel.confirm_delivery()
    channel.basic_publish(
        f"in.{agency}",
        content["type"].split(".")[0],
        as_bytes(content),
        pika.BasicProperties(
            content_type=STRUCTURED,
            delivery_mode=2,
            message_id=content["id"],
            type=content["type"],
            app_id=agency,
            **properties,
        ),
        mandatory=True,
    )


async def test_a_plain_client_publishes_and_gets_its_receipt(house: House) -> None:
    await house.start()
    content = shipment()

    def work(channel: BlockingChannel) -> Any:
        send(channel, CUSTOMS, content, user_id=CUSTOMS)
        return take(channel, f"inbox.{CUSTOMS}.receipt")

    method, props, body = await in_thread(house.url(CUSTOMS), work)
    receipt = json.loads(body)
    assert method.routing_key == "receipt.accepted"
    assert (props.content_type, props.type, props.correlation_id) == (STRUCTURED, "receipt.accepted", content["id"])
    assert receipt["data"]["of"] == {"id": content["id"], "type": "shipment.held"}
    assert receipt["data"]["recipients"] == 1


async def test_a_plain_client_receives_from_its_inbox_the_bytes_and_the_mirrored_properties(house: House) -> None:
    await house.start()
    content = shipment(tlp="AMBER", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    await in_thread(house.url(CUSTOMS), lambda channel: send(channel, CUSTOMS, content))
    method, props, body = await in_thread(
        house.url(QUARANTINE), lambda channel: take(channel, f"inbox.{QUARANTINE}.shipment")
    )
    assert body == as_bytes(content)
    assert method.routing_key == "shipment.held.KR.KRPUS"
    assert (props.message_id, props.type, props.app_id) == (content["id"], "shipment.held", CUSTOMS)
    assert (props.content_type, props.delivery_mode) == (STRUCTURED, 2)
    assert props.headers["ce-tlp"] == "AMBER"
    assert props.headers["traceparent"] == content["traceparent"]
    # Recipients do not see each other.
    assert set(props.headers) == {"ce-tlp", "traceparent", "ce-receivedtime"} | (
        {"x-delivery-count"} & set(props.headers)
    )


async def test_a_plain_client_declares_and_binds_a_queue_of_its_own(house: House) -> None:
    await house.start()
    own = f"sub.{QUARANTINE}.busan-holds"

    def prepare(channel: BlockingChannel) -> None:
        channel.queue_declare(own, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(own, f"feed.{QUARANTINE}", "shipment.held.KR.KRPUS")

    await in_thread(house.url(QUARANTINE), prepare)
    elsewhere = shipment(id="elsewhere")
    elsewhere["data"]["place"] = {"locode": "KRINC", "country": "KR"}
    await dispositions(house, CUSTOMS, [elsewhere, shipment(type="shipment.released"), shipment(id="at-busan")])

    def collect(channel: BlockingChannel) -> tuple[Any, Any]:
        first = take(channel, own)
        return json.loads(first[2])["id"], channel.basic_get(own, auto_ack=True)[0]

    assert await in_thread(house.url(QUARANTINE), collect) == ("at-busan", None)


async def test_a_plain_client_replays_its_log_from_the_first_and_from_an_offset(house: House) -> None:
    await house.start()
    contents = [shipment(id=f"s{number}") for number in range(5)]
    await dispositions(house, CUSTOMS, contents)

    def replay(offset: Any) -> Callable[[BlockingChannel], list[tuple[int, str]]]:
        def work(channel: BlockingChannel) -> list[tuple[int, str]]:
            channel.basic_qos(prefetch_count=10)
            found: list[tuple[int, str]] = []
            arguments = {"x-stream-offset": offset}
            for method, props, body in channel.consume(
                f"log.{QUARANTINE}", arguments=arguments, inactivity_timeout=10 * PATIENCE
            ):
                assert method is not None, "the log ended too early"
                channel.basic_ack(method.delivery_tag)
                found.append((int(props.headers["x-stream-offset"]), json.loads(body)["id"]))
                if found[-1][1] == "s4":
                    break
            return found

        return work

    everything = await in_thread(house.url(QUARANTINE), replay("first"))
    assert everything == [(number, f"s{number}") for number in range(5)]
    assert await in_thread(house.url(QUARANTINE), replay(3)) == everything[3:]


def consume(queue: str) -> Callable[[BlockingChannel], Any]:
    return lambda channel: (channel.basic_qos(prefetch_count=1), channel.basic_consume(queue, lambda *_: None))


def publish_to(exchange: str, key: str, **properties: Any) -> Callable[[BlockingChannel], Any]:
    def work(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, as_bytes(alert()), pika.BasicProperties(**properties))

    return work


def bind_own(exchange: str, key: str = "#") -> Callable[[BlockingChannel], Any]:
    def work(channel: BlockingChannel) -> None:
        channel.queue_declare(f"sub.{BORDER}.own", durable=True)
        channel.queue_bind(f"sub.{BORDER}.own", exchange, key)

    return work


def declare_own(**arguments: Any) -> Callable[[BlockingChannel], Any]:
    return lambda channel: channel.queue_declare(f"sub.{BORDER}.other", durable=True, arguments=arguments)


# All as the border agency.
FORBIDDEN: dict[str, Callable[[BlockingChannel], Any]] = {
    "publish to another's exchange": publish_to(f"in.{CUSTOMS}", "alert"),
    "publish to the default exchange": publish_to("", f"inbox.{CUSTOMS}.alert"),
    "publish to its own ingress queue directly": publish_to("", f"ingress.{BORDER}.alert"),
    "publish to a feed": publish_to(f"feed.{CUSTOMS}", "alert.issued.severe.KR.KRPUS"),
    "publish to its own feed": publish_to(f"feed.{BORDER}", "alert.issued.severe.KR.KRPUS"),
    "publish to deliver": publish_to("deliver", f"to.{CUSTOMS}"),
    "publish to amq.topic": publish_to("amq.topic", "x"),
    "publish to amq.direct": publish_to("amq.direct", "x"),
    "publish to amq.fanout": publish_to("amq.fanout", "x"),
    "publish as somebody else": publish_to(f"in.{BORDER}", "alert", user_id=CUSTOMS),
    "consume another's inbox": consume(f"inbox.{CUSTOMS}.alert"),
    "consume another's log": consume(f"log.{CUSTOMS}"),
    "consume its own ingress queue": consume(f"ingress.{BORDER}.alert"),
    "consume another's ingress queue": consume(f"ingress.{CUSTOMS}.shipment"),
    "consume the journal": consume("journal"),
    "consume the quarantine": consume("quarantine"),
    "get from the quarantine": lambda channel: channel.basic_get("quarantine"),
    "purge another's inbox": lambda channel: channel.queue_purge(f"inbox.{CUSTOMS}.alert"),
    "delete its own inbox": lambda channel: channel.queue_delete(f"inbox.{BORDER}.alert"),
    "delete another's inbox": lambda channel: channel.queue_delete(f"inbox.{CUSTOMS}.alert"),
    "delete its own exchange": lambda channel: channel.exchange_delete(f"in.{BORDER}"),
    "bind to another's feed": bind_own(f"feed.{CUSTOMS}"),
    "bind to deliver": bind_own("deliver", f"to.{CUSTOMS}"),
    "bind to another's in exchange": bind_own(f"in.{CUSTOMS}", "alert"),
    "bind to its own in exchange": bind_own(f"in.{BORDER}", "alert"),
    "bind to amq.topic": bind_own("amq.topic"),
    "bind another's inbox to its own feed": lambda channel: channel.queue_bind(
        f"inbox.{CUSTOMS}.alert", f"feed.{BORDER}", "#"
    ),
    "unbind its own log": lambda channel: channel.queue_unbind(f"log.{BORDER}", f"feed.{BORDER}", "#"),
    "bind another's exchange behind its own feed": lambda channel: channel.exchange_bind(
        f"in.{CUSTOMS}", f"feed.{BORDER}", "#"
    ),
    "unbind another's feed": lambda channel: channel.exchange_unbind(f"feed.{CUSTOMS}", "deliver", f"to.{CUSTOMS}"),
    "declare a queue of another name": lambda channel: channel.queue_declare("mine", durable=True),
    "declare another's own queue": lambda channel: channel.queue_declare(f"sub.{CUSTOMS}.x", durable=True),
    "declare one more inbox": lambda channel: channel.queue_declare(f"inbox.{BORDER}.extra", durable=True),
    "declare a server-named queue": lambda channel: channel.queue_declare("", exclusive=True),
    "declare an exchange": lambda channel: channel.exchange_declare("mine", "topic", durable=True),
    "dead-letter into deliver": declare_own(**{"x-dead-letter-exchange": "deliver"}),
    "dead-letter into another's exchange": declare_own(**{"x-dead-letter-exchange": f"in.{CUSTOMS}"}),
    "dead-letter into the default exchange": declare_own(**{"x-dead-letter-exchange": ""}),
}


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_rabbitmq_refuses_an_agency(house: House, what: str) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        await in_thread(house.url(BORDER), FORBIDDEN[what])
    # 406 is the answer to a user_id that is not one's own.
    assert caught.value.reply_code == (406 if "somebody else" in what else 403), caught.value


async def test_another_virtual_host_is_closed_to_an_agency(house: House) -> None:
    url = house.url(BORDER).rpartition("/")[0] + "/cbm"
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        await in_thread(url, lambda channel: None)


@pytest.mark.parametrize("header", ["CC", "BCC"])
async def test_copies_that_a_sender_asks_of_rabbitmq_reach_nobody(house: House, header: str) -> None:
    await house.start()
    copies = [f"to.{QUARANTINE}", f"inbox.{QUARANTINE}.shipment", "#", "alert.issued.severe.KR.KRPUS"]
    content = shipment(BORDER)
    await in_thread(house.url(BORDER), lambda channel: send(channel, BORDER, content, headers={header: copies}))
    _, _, body = await in_thread(house.url(BORDER), lambda channel: take(channel, f"inbox.{BORDER}.receipt"))
    assert json.loads(body)["data"]["disposition"] == "refused"
    for agency in (CUSTOMS, QUARANTINE, BORDER):
        assert await house.messages_in(f"inbox.{agency}.shipment") == 0
        assert await house.messages_in(f"inbox.{agency}.alert") == 0


async def test_an_agency_cannot_learn_who_else_received_a_message(house: House) -> None:
    # RabbitMQ routes by the blind copies in every exchange on the way, an agency's own feed included.
    await house.start()
    guesses = [f"to.{QUARANTINE}", f"to.{CUSTOMS}", "to.*", "to.#", QUARANTINE, f"inbox.{QUARANTINE}.alert"]

    def prepare(channel: BlockingChannel) -> None:
        for number, key in enumerate(guesses):
            channel.queue_declare(f"sub.{BORDER}.spy{number}", durable=True)
            channel.queue_bind(f"sub.{BORDER}.spy{number}", f"feed.{BORDER}", key)
        channel.queue_declare(f"sub.{BORDER}.one-word", durable=True)
        channel.queue_bind(f"sub.{BORDER}.one-word", f"feed.{BORDER}", "*")

    await in_thread(house.url(BORDER), prepare)
    both, alone = alert(CUSTOMS, id="both"), alert(CUSTOMS, id="alone", recipients=BORDER)
    assert await dispositions(house, CUSTOMS, [both, alone]) == ["accepted", "accepted"]
    assert await house.messages_in(f"inbox.{QUARANTINE}.alert") == 1
    assert await house.messages_in(f"inbox.{BORDER}.alert") == 2
    for number in range(len(guesses)):
        assert await house.messages_in(f"sub.{BORDER}.spy{number}") == 0
    # The addresses are one word each: what this binding sees is the same whether one received it or two.
    assert await house.messages_in(f"sub.{BORDER}.one-word") in (0, 2)

    def headers(channel: BlockingChannel) -> list[set[str]]:
        return [set(take(channel, f"inbox.{BORDER}.alert")[1].headers) for _ in range(2)]

    seen = await in_thread(house.url(BORDER), headers)
    assert seen[0] == seen[1]
    assert not any("cc" in name.lower() for name in seen[0])
