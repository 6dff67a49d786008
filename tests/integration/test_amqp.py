"""The traps of pika and AMQP, one a test, on a real RabbitMQ through the façade."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pika
import pytest

from broker import amqp
from broker.amqp import Confirmations, Consumer, Properties, Publisher, Session, properties
from broker.credentials import url_with
from broker.node import PrivateNode, free_port
from schemas.errors import (
    ChannelClosed,
    ConnectionLost,
    NotAuthorised,
    NotFound,
    PublishNacked,
    PublishReturned,
    TimedOut,
    TransportError,
    Unreachable,
)
from tests.harness import BORDER, CUSTOMS, House, until
from tests.integration.conftest import control
from tests.integration.proxy import BASIC_ACK, proxied

WAIT_S = 15.0
TEXT = "text/plain"
QUEUE = "here"


@pytest.fixture
async def session(house: House) -> AsyncIterator[Session]:
    """A session as the broker's user, with one quorum queue."""
    opened = await Session.open(house.place.url, name="test")
    await declare(opened)
    yield opened
    await opened.close()


async def declare(session: Session, queue: str = QUEUE) -> None:
    channel = await session.channel()
    await channel.declare_queue(queue, {"x-queue-type": "quorum"})
    await channel.close()


def props(message_id: str = "1", **more: Any) -> Properties:
    return properties(content_type=TEXT, message_id=message_id, **more)


def publish(publisher: Publisher, keys: Iterable[str], exchange: str = "") -> Confirmations:
    """Publish one small message a key, in one turn of the loop; the body is its number."""
    group = Confirmations()
    for number, key in enumerate(keys):
        publisher.publish(exchange, key, b"%d" % number, props(str(number)), group, number)
    return group


async def drained(session: Session, count: int, queue: str = QUEUE) -> list[bytes]:
    """Take so many messages from a queue, acknowledged, in order."""
    consumer = await session.consumer(queue, prefetch=1000)
    taken: list[bytes] = []
    while len(taken) < count:
        batch = await asyncio.wait_for(consumer.batch(1000), WAIT_S)
        taken += [delivery.body for delivery in batch]
        consumer.ack(batch[-1].tag, multiple=True)
    await consumer.close()
    return taken


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_an_exception_in_a_callback_does_not_end_the_connection(session: Session) -> None:
    class Clumsy(Consumer):
        failed = 0

        def _on_message(self, _: Any, method: Any, properties_: Any, body: bytes) -> None:
            if not self.failed:
                self.failed += 1
                raise RuntimeError("a bug")
            super()._on_message(_, method, properties_, body)

    consumer = Clumsy(session, await session._new_channel(), QUEUE)
    await consumer.start(10)
    publisher = await session.publisher()
    assert await publish(publisher, [QUEUE] * 2).wait(WAIT_S) == {}
    assert [d.body for d in await asyncio.wait_for(consumer.batch(10), WAIT_S)] == [b"1"]
    assert consumer.failed == 1
    assert session.is_open


async def test_deliveries_under_way_come_back_in_order_when_the_channel_closes(session: Session) -> None:
    publisher = await session.publisher()
    assert await publish(publisher, [QUEUE] * 500).wait(WAIT_S) == {}
    consumer = await session.consumer(QUEUE, prefetch=500)
    taken = await asyncio.wait_for(consumer.batch(10), WAIT_S)
    assert len(taken) == 10
    # At once, while further deliveries are on their way.
    await consumer.close()
    assert await drained(session, 500) == numbers(500)


async def test_deliveries_under_way_come_back_in_order_when_the_connection_closes(house: House) -> None:
    session = await Session.open(house.place.url, name="first")
    await declare(session)
    publisher = await session.publisher()
    assert await publish(publisher, [QUEUE] * 500).wait(WAIT_S) == {}
    consumer = await session.consumer(QUEUE, prefetch=500)
    await asyncio.wait_for(consumer.batch(10), WAIT_S)
    await session.close()
    second = await Session.open(house.place.url, name="second")
    assert await drained(second, 500) == numbers(500)
    await second.close()


async def test_a_return_is_matched_to_its_publish_among_many_of_the_same_id(session: Session) -> None:
    publisher = await session.publisher()
    group = Confirmations()
    keys = [QUEUE, "nowhere", QUEUE, "elsewhere", QUEUE]
    for number, key in enumerate(keys):
        publisher.publish("", key, b"x", props("the-same-id"), group, number)
    failures = await group.wait(WAIT_S)
    assert {number: type(error) for number, error in failures.items()} == {1: PublishReturned, 3: PublishReturned}


async def test_two_returns_of_the_same_key_and_id_end_both_publishes(session: Session) -> None:
    publisher = await session.publisher()
    both = [asyncio.create_task(publisher.publish_confirmed("", "nowhere", b"x", props("1"), WAIT_S)) for _ in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PublishReturned, PublishReturned]
    assert await publish(publisher, [QUEUE]).wait(WAIT_S) == {}


async def test_an_unroutable_message_is_returned_and_never_taken_for_stored(session: Session) -> None:
    publisher = await session.publisher()
    with pytest.raises(PublishReturned):
        await publisher.publish_confirmed("amq.topic", "no.binding", b"x", props(), WAIT_S)


async def test_confirms_of_many_at_once_settle_every_one_of_them(session: Session) -> None:
    class Counting(Publisher):
        frames = multiples = 0

        def _on_confirm(self, frame: Any) -> None:
            Counting.frames += 1
            Counting.multiples += bool(frame.method.multiple)
            super()._on_confirm(frame)

    publisher = Counting(session, await session._new_channel())
    await publisher.start()
    keys = [QUEUE if number % 10 else "nowhere" for number in range(6000)]
    failures = await publish(publisher, keys).wait(WAIT_S)
    assert sorted(failures) == list(range(0, 6000, 10))
    assert {type(error) for error in failures.values()} == {PublishReturned}
    assert not publisher._pending
    # Else this test would not have shown what it is for.
    assert Counting.multiples > 0
    assert Counting.frames < 6000


async def test_publishing_waits_while_too_much_is_unconfirmed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "MAX_UNCONFIRMED", 100)
    publisher = await session.publisher()
    group = publish(publisher, [QUEUE] * 100)
    waiting = asyncio.create_task(publisher.ready())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await group.wait(WAIT_S) == {}
    await asyncio.wait_for(waiting, WAIT_S)


async def test_a_full_queue_refuses_and_what_it_refused_is_known(session: Session) -> None:
    channel = await session.channel()
    arguments = {"x-queue-type": "quorum", "x-max-length": 10, "x-overflow": "reject-publish"}
    await channel.declare_queue("small", arguments)
    publisher = await session.publisher()
    refused: dict[int, Any] = {}
    # A quorum queue may take somewhat more than its limit before it refuses.
    while not refused:
        refused = await publish(publisher, ["small"] * 50).wait(WAIT_S)
    assert {type(error) for error in refused.values()} == {PublishNacked}
    assert session.is_open


async def test_a_publish_to_a_missing_exchange_ends_its_channel_and_every_outcome_is_known(session: Session) -> None:
    publisher, other = await session.publisher(), await session.publisher()
    group = Confirmations()
    for number in range(50):
        publisher.publish("" if number != 25 else "no-such", QUEUE, b"x", props(), group, number)
    failures = await group.wait(WAIT_S)
    assert {25, *range(26, 50)} <= set(failures)
    assert {type(error) for error in failures.values()} == {NotFound}
    assert not publisher.is_open
    with pytest.raises(NotFound):
        await publisher.ready()
    later = publish(publisher, [QUEUE])
    assert {type(error) for error in (await later.wait(WAIT_S)).values()} == {NotFound}
    assert session.is_open
    assert await publish(other, [QUEUE]).wait(WAIT_S) == {}


async def test_a_publish_without_permission_ends_its_channel_and_every_outcome_is_known(house: House) -> None:
    session = await Session.open(house.url(CUSTOMS), name="test")
    publisher = await session.publisher()
    failures = await publish(publisher, ["alert"] * 20, exchange=f"in.{BORDER}").wait(WAIT_S)
    assert sorted(failures) == list(range(20))
    assert {type(error) for error in failures.values()} == {NotAuthorised}
    assert session.is_open
    await session.close()


async def test_a_consumer_whose_queue_is_deleted_says_so_after_what_it_had(session: Session) -> None:
    publisher = await session.publisher()
    assert await publish(publisher, [QUEUE] * 3).wait(WAIT_S) == {}
    consumer = await session.consumer(QUEUE, prefetch=10)
    await asyncio.wait_for(consumer._arrived.wait(), WAIT_S)
    await (await session.channel()).delete_queue(QUEUE)

    async def cancelled() -> bool:
        return consumer._cancelled

    await until(cancelled)
    assert [d.body for d in await consumer.batch(10)] == numbers(3)
    with pytest.raises(NotFound):
        await asyncio.wait_for(consumer.batch(10), WAIT_S)
    assert session.is_open


async def test_a_queue_that_is_not_there_or_may_not_be_read_is_said_so(house: House, session: Session) -> None:
    with pytest.raises(NotFound):
        await session.consumer("no-such", prefetch=1)
    agency = await Session.open(house.url(CUSTOMS), name="test")
    with pytest.raises(NotAuthorised):
        await agency.consumer(f"inbox.{BORDER}.alert", prefetch=1)
    assert agency.is_open
    await agency.close()


async def test_an_acknowledgement_after_the_channel_ended_is_without_effect(session: Session) -> None:
    publisher = await session.publisher()
    assert await publish(publisher, [QUEUE]).wait(WAIT_S) == {}
    first = await session.consumer(QUEUE, prefetch=1)
    (delivery,) = await asyncio.wait_for(first.batch(1), WAIT_S)
    await first.close()
    second = await session.consumer(QUEUE, prefetch=1)
    (again,) = await asyncio.wait_for(second.batch(1), WAIT_S)
    assert again.tag == delivery.tag
    first.ack(delivery.tag)
    first.requeue(delivery.tag)
    await second.close()
    assert session.is_open
    assert await drained(session, 1) == [b"0"]


async def test_an_acknowledgement_of_an_unknown_tag_ends_its_channel_only(session: Session) -> None:
    consumer = await session.consumer(QUEUE, prefetch=1)
    consumer.ack(4711)
    with pytest.raises(ChannelClosed) as caught:
        await asyncio.wait_for(consumer.batch(1), WAIT_S)
    assert caught.value.code == 406
    assert session.is_open


async def test_a_cancelled_wait_for_a_confirm_leaves_the_publisher_whole(session: Session) -> None:
    publisher = await session.publisher()
    waiting = asyncio.create_task(publisher.publish_confirmed("", QUEUE, b"0", props(), WAIT_S))
    await asyncio.sleep(0)
    assert publisher._pending
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await publisher.publish_confirmed("", QUEUE, b"1", props(), WAIT_S)
    assert not publisher._pending
    # What was published stays published.
    assert await drained(session, 2) == numbers(2)


async def test_a_confirm_that_does_not_come_is_a_time_out_with_unknown_outcome(house: House) -> None:
    async with proxied(house.place.url) as proxy:
        session = await Session.open(proxy.url, name="test")
        await declare(session)
        publisher = await session.publisher()
        proxy.faults["down"].hole = True
        with pytest.raises(TimedOut):
            await publisher.publish_confirmed("", QUEUE, b"0", props(), 0.3)
        session.abort("enough")

    async def stored() -> bool:
        return await house.messages_in(QUEUE) == 1

    await until(stored)


async def test_a_connection_cut_between_a_publish_and_its_confirm_says_lost_and_the_message_is_stored(
    house: House,
) -> None:
    async with proxied(house.place.url) as proxy:
        session = await Session.open(proxy.url, name="test")
        await declare(session)
        publisher = await session.publisher()
        proxy.faults["down"].cut_before = (BASIC_ACK, 0)
        with pytest.raises(ConnectionLost):
            await publisher.publish_confirmed("", QUEUE, b"0", props(), WAIT_S)
        assert session.lost.done()

    async def stored() -> bool:
        return await house.messages_in(QUEUE) == 1

    await until(stored)


@pytest.mark.parametrize("passed", [3, 10, 500, 5_000, 100_000])
async def test_a_connection_reset_within_a_frame_fails_all_that_was_open(house: House, passed: int) -> None:
    async with proxied(house.place.url) as proxy:
        session = await Session.open(proxy.url, name="test")
        await declare(session)
        publisher = await session.publisher()
        proxy.faults["up"].cut_after = passed
        group = Confirmations()
        for number in range(100):
            publisher.publish("", QUEUE, b"x" * 2000, props(), group, number)
        failures = await group.wait(WAIT_S)
        assert failures
        assert {type(error) for error in failures.values()} == {ConnectionLost}
        with pytest.raises(ConnectionLost):
            await session.channel()
        with pytest.raises(ConnectionLost):
            await publisher.ready()


async def test_a_confirm_is_waited_for_as_long_as_others_come_and_given_up_when_none_does(session: Session) -> None:
    publisher = await session.publisher()
    group = Confirmations()
    group.expect()  # as of a publish that RabbitMQ forgets
    waiting = asyncio.create_task(publisher.settled(group, 0.8))
    for _ in range(12):
        await publisher.publish_confirmed("", QUEUE, b"0", props(), WAIT_S)
        await asyncio.sleep(0.1)
    assert not waiting.done()
    with pytest.raises(TimedOut, match=r"nothing for 0\.8 s"):
        await asyncio.wait_for(waiting, WAIT_S)


async def test_frames_that_arrive_in_crumbs_are_put_together(house: House) -> None:
    async with proxied(house.place.url) as proxy:
        proxy.faults["down"].drip = 3
        proxy.faults["up"].drip = 5
        session = await Session.open(proxy.url, name="test")
        await declare(session)
        publisher = await session.publisher()
        assert await publish(publisher, [QUEUE] * 50).wait(WAIT_S) == {}
        assert await drained(session, 50) == numbers(50)
        await session.close()


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_connection_that_is_silently_dead_ends_by_missing_heartbeats(house: House, direction: Any) -> None:
    async with proxied(house.place.url) as proxy:
        session = await Session.open(proxy.url, name="test", heartbeat_s=2)
        await declare(session)
        consumer = await session.consumer(QUEUE, prefetch=1)
        proxy.faults[direction].hole = True
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(consumer.batch(1), WAIT_S)
        assert isinstance(session.lost.result(), ConnectionLost)


async def test_a_session_given_up_at_once_ends_and_what_it_held_goes_back(house: House, session: Session) -> None:
    publisher = await session.publisher()
    assert await publish(publisher, [QUEUE]).wait(WAIT_S) == {}
    consumer = await session.consumer(QUEUE, prefetch=1)
    await asyncio.wait_for(consumer.batch(1), WAIT_S)
    session.abort("enough")
    other = await Session.open(house.place.url, name="other")
    assert await drained(other, 1) == [b"0"]
    await other.close()
    with pytest.raises(ConnectionLost, match="enough"):
        await consumer.batch(1)
    with pytest.raises(ConnectionLost):
        await session.channel()


async def test_a_publisher_waits_while_rabbitmq_blocks_and_then_goes_on(
    own_node: PrivateNode, own_house: House
) -> None:
    session = await Session.open(own_house.place.url, name="test")
    await declare(session)
    publisher = await session.publisher()
    await publisher.publish_confirmed("", QUEUE, b"0", props(), WAIT_S)
    await control(own_node, "set_vm_memory_high_watermark", "0.00000001")
    try:
        # RabbitMQ says that it blocks at the next publish, which it keeps waiting; it may need a moment to see why.
        groups = [publish(publisher, [QUEUE])]

        async def blocked() -> bool:
            if not session.is_blocked:
                groups.append(publish(publisher, [QUEUE]))
            return session.is_blocked

        await until(blocked)
        group = groups[-1]
        waiting = asyncio.create_task(publisher.ready())
        with pytest.raises(TimedOut):
            await group.wait(0.3)
        assert not waiting.done()
    finally:
        await control(own_node, "set_vm_memory_high_watermark", "0.4")
    await asyncio.wait_for(waiting, WAIT_S)
    assert await group.wait(WAIT_S) == {}
    assert not session.is_blocked
    await session.close()


async def test_a_publisher_that_waits_for_an_unblocking_hears_of_a_lost_connection(
    own_node: PrivateNode, own_house: House
) -> None:
    session = await Session.open(own_house.place.url, name="test")
    await declare(session)
    publisher = await session.publisher()
    session._on_blocked(None, type("Frame", (), {"method": object()}))
    waiting = asyncio.create_task(publisher.ready())
    await asyncio.sleep(0)
    session.abort("gone")
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(waiting, WAIT_S)


async def test_frames_of_one_turn_go_out_together_and_in_order(session: Session) -> None:
    publisher = await session.publisher()
    connection = session._connection
    sent: list[int] = []
    emit = connection._adapter_emit_data
    connection._adapter_emit_data = lambda data: (sent.append(len(data)), emit(data))
    group = publish(publisher, [QUEUE] * 100)
    assert sent == []
    assert await group.wait(WAIT_S) == {}
    assert len(sent) == 1
    del connection._adapter_emit_data
    assert await drained(session, 100) == numbers(100)


async def test_closing_at_once_after_publishing_loses_nothing(house: House) -> None:
    session = await Session.open(house.place.url, name="test")
    await declare(session)
    publisher = await session.publisher()
    publish(publisher, [QUEUE] * 1000)
    await session.close()
    second = await Session.open(house.place.url, name="second")
    assert await drained(second, 1000) == numbers(1000)
    await second.close()


async def test_closing_a_channel_at_once_after_publishing_and_acknowledging_loses_nothing(session: Session) -> None:
    publisher = await session.publisher()
    publish(publisher, [QUEUE] * 1000)
    await publisher.close()
    consumer = await session.consumer(QUEUE, prefetch=1000)
    taken: list[Any] = []
    while len(taken) < 1000:
        taken += await asyncio.wait_for(consumer.batch(1000), WAIT_S)
    consumer.ack(taken[-1].tag, multiple=True)
    await consumer.close()
    channel = await session.channel()
    assert await channel.declare_queue(QUEUE, passive=True) == (0, 0)


async def test_more_than_one_flush_in_one_turn_keeps_order(session: Session) -> None:
    publisher = await session.publisher()
    group = Confirmations()
    bodies = [b"%d:" % number + b"x" * 20_000 for number in range(60)]
    assert sum(map(len, bodies)) > 4 * amqp._FLUSH_BYTES
    for number, body in enumerate(bodies):
        publisher.publish("", QUEUE, body, props(), group, number)
    assert await group.wait(WAIT_S) == {}
    assert await drained(session, 60) == bodies


async def test_the_names_private_to_pika_that_the_facade_leans_on_are_there(session: Session) -> None:
    # Without them it works all the same, slower and with less sight; then this test says so.
    assert amqp._CONNECTION is amqp._Coalescing
    for name in ("_output_marshaled_frames", "_adapter_emit_data", "_transport", "ioloop", "bytes_sent", "frames_sent"):
        assert hasattr(session._connection, name), name
    assert session._connection._transport.get_write_buffer_size() == 0
    assert callable(session._connection._terminate_stream)
    assert pika.spec.props[pika.BasicProperties.INDEX] is amqp._Arriving


class RawHeaders(Properties):
    """Properties with a headers table written byte by byte, as pika would never write it."""

    table = b""

    def encode(self) -> list[bytes]:
        flags = pika.BasicProperties.FLAG_CONTENT_TYPE | pika.BasicProperties.FLAG_HEADERS
        flags |= pika.BasicProperties.FLAG_MESSAGE_ID
        return [
            struct.pack(">H", flags),
            struct.pack("B", len(TEXT)) + TEXT.encode(),
            struct.pack(">I", len(self.table)) + self.table,
            b"\x02id",
        ]


def _nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    return table


@pytest.mark.parametrize(
    ("table", "kept"),
    [
        (b"\x01aT" + struct.pack(">Q", 2**62), False),
        (_nested(2000), False),
        (b"\x01aS" + struct.pack(">I", 2) + b"\xff\xfe", True),
        (b"\x02\xff\xfet\x01", True),
    ],
    ids=["a time beyond the calendar", "tables 2,000 deep", "text that is none", "a name that is no text"],
)
async def test_headers_that_pika_cannot_read_do_not_end_the_connection(
    session: Session, table: bytes, kept: bool
) -> None:
    publisher = await session.publisher()
    raw = RawHeaders()
    raw.table = table
    group = Confirmations()
    publisher.publish("", QUEUE, b"0", raw, group, 0)
    publisher.publish("", QUEUE, b"1", props("next", headers={"a": 1}), group, 1)
    assert await group.wait(WAIT_S) == {}
    consumer = await session.consumer(QUEUE, prefetch=10)
    taken: list[Any] = []
    while len(taken) < 2:
        taken += await asyncio.wait_for(consumer.batch(10), WAIT_S)
    assert [d.body for d in taken] == numbers(2)
    assert (taken[0].content_type, taken[0].message_id) == (TEXT, "id")
    assert any(name != "x-delivery-count" for name in taken[0].headers) == kept
    assert taken[1].headers["a"] == 1


async def test_a_property_that_amqp_cannot_hold_is_left_out_and_the_message_sent(session: Session) -> None:
    long_id = "\U0001f6a2" * 128
    publisher = await session.publisher()
    await publisher.publish_confirmed("", QUEUE, b"0", props(long_id, correlation_id="c" * 256), WAIT_S)
    consumer = await session.consumer(QUEUE, prefetch=1)
    (delivery,) = await asyncio.wait_for(consumer.batch(1), WAIT_S)
    assert delivery.message_id is None


async def test_what_cannot_be_written_down_fails_alone(session: Session) -> None:
    publisher = await session.publisher()
    group = Confirmations()
    publisher.publish("", QUEUE, b"0", props(), group, 0)
    publisher.publish("", QUEUE, b"x", props(headers={"odd": object()}), group, 1)
    publisher.publish("", QUEUE, b"1", props(), group, 2)
    failures = await group.wait(WAIT_S)
    assert {number: type(error) for number, error in failures.items()} == {1: TransportError}
    assert await drained(session, 2) == numbers(2)


async def test_why_no_connection_could_be_made_is_told_by_class_and_without_the_password(house: House) -> None:
    url = house.place.url
    secret = "s3cr3t"
    wrong_password = url.replace(url.rpartition("@")[0].rpartition(":")[2], secret)
    cases = [
        (wrong_password, NotAuthorised),
        (url.rpartition("/")[0] + "/no-such-host", NotAuthorised),
        (f"amqp://cbm:{secret}@127.0.0.1:{free_port()}/cbm", Unreachable),
        (f"amqp://cbm:{secret}@no-such-host.invalid/cbm", Unreachable),
        (f"amqp://cbm:{secret}@127.0.0.1:{house.node.ports.management}/cbm", Unreachable),  # type: ignore[union-attr]
        (f"amqps://cbm:{secret}@127.0.0.1:{house.node.ports.amqp}/cbm", Unreachable),  # type: ignore[union-attr]
        (f"amqp://cbm:{secret}@127.0.0.1:port/cbm", Unreachable),
    ]
    for address, kind in cases:
        with pytest.raises(kind) as caught:
            await Session.open(address, name="test", timeout_s=3)
        assert secret not in str(caught.value), address


async def test_one_that_takes_the_connection_and_says_nothing_is_unreachable(house: House) -> None:
    async with proxied(house.place.url) as proxy:
        proxy.faults["down"].hole = True
        with pytest.raises(Unreachable):
            await Session.open(proxy.url, name="test", timeout_s=0.5)


async def test_the_password_of_a_url_may_hold_anything(house: House) -> None:
    with pytest.raises(NotAuthorised):
        await Session.open(url_with(f"amqp://cbm@127.0.0.1:{house.node.ports.amqp}", password="p@:/?#%"), name="test")  # type: ignore[union-attr]
