"""What an agency with valid credentials can try, by a plain AMQP client: what it sees, and whom it harms.

`test_wire` holds the list of what RabbitMQ refuses outright; here is the rest, and after each attack what
others send must still pass at once. The attacker is the border agency wherever it can be.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from broker.credentials import Credentials
from broker.ledger import Ledger
from broker.management import Management, quoted
from broker.provision import trim_own
from schemas.errors import NotAuthorised
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment, until
from tests.integration.test_wire import STRUCTURED, in_thread, send, take
from tests.integration.tools import WAIT_S, collecting, dispositions, flood, limited, logged, said

PROMPT_S = 5.0
OWN = f"sub.{BORDER}"

Attack = Callable[[BlockingChannel], Any]


async def still_passes(house: House) -> None:
    """An alert of customs' reaches the quarantine agency, and its receipt customs, at once."""
    content = alert(CUSTOMS)

    def arrived(channel: BlockingChannel) -> None:
        while json.loads(take(channel, f"inbox.{QUARANTINE}.alert", PROMPT_S)[2])["id"] != content["id"]:
            pass

    async with asyncio.timeout(2 * PROMPT_S):
        assert await dispositions(house, CUSTOMS, [content]) == ["accepted"]
        await in_thread(house.url(QUARANTINE), arrived)


async def seen(house: House, attack: Attack, agency: str = BORDER) -> int:
    """What the attacker sees: the code by which RabbitMQ closed its channel or connection; 0 where it did not."""
    try:
        await in_thread(house.url(agency), attack)
    except (pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker) as error:
        return int(error.reply_code)
    return 0


async def recorded(house: House, id_: str) -> list[str]:
    """The dispositions that the ledger holds of an id."""
    ledger = Ledger.open(house.settings)
    try:
        return [record.disposition for record in await ledger.find(id_=id_)]
    finally:
        await ledger.close()


async def standing(house: House) -> set[str]:
    """All exchanges, queues and bindings but those that agencies make for themselves."""
    found = set()
    for what in ("exchanges", "queues", "bindings"):
        for one in await house.node.management.get(f"{what}/{quoted(house.vhost)}"):
            kept = ("name", "type", "source", "destination", "routing_key", "arguments", "durable")
            text = json.dumps({key: one[key] for key in kept if key in one}, sort_keys=True)
            if "sub." not in text:
                found.add(f"{what} {text}")
    return found


def publish(exchange: str, key: str = "alert", body: bytes | None = None, **properties: Any) -> Attack:
    def work(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        props = pika.BasicProperties(content_type=STRUCTURED, **properties)
        channel.basic_publish(exchange, key, as_bytes(alert()) if body is None else body, props)

    return work


def own_queue(name: str, *keys: str, **arguments: Any) -> Attack:
    """Declare an own queue and bind it to the own feed."""

    def work(channel: BlockingChannel) -> None:
        queue = f"{OWN}.{name}"
        channel.queue_declare(queue, durable=True, arguments={k.replace("_", "-"): v for k, v in arguments.items()})
        for key in keys:
            channel.queue_bind(queue, f"feed.{BORDER}", key)

    return work


def own_exchange(then: Attack | None = None) -> Attack:
    def work(channel: BlockingChannel) -> None:
        channel.exchange_declare(f"{OWN}.x", "topic", durable=True)
        if then is not None:
            then(channel)

    return work


def falling_back(to: str) -> Attack:
    """Declare an own exchange that passes on what it cannot route."""
    arguments = {"alternate-exchange": to}
    return lambda channel: channel.exchange_declare(f"{OWN}.falling", "topic", durable=True, arguments=arguments)


def bind_own(source: str, key: str = "#") -> Attack:
    def work(channel: BlockingChannel) -> None:
        channel.queue_declare(f"{OWN}.own", durable=True)
        channel.queue_bind(f"{OWN}.own", source, key)

    return work


def in_turn(*attacks: Attack) -> Attack:
    return lambda channel: [attack(channel) for attack in attacks]


# What test_wire does not try. All of it is refused for want of rights.
REFUSED: dict[str, Attack] = {
    "publish to another's standing queues": publish(f"standing.{CUSTOMS}", "alert.issued.severe.KR.KRPUS"),
    "publish to its own standing queues": publish(f"standing.{BORDER}", "alert.issued.severe.KR.KRPUS"),
    "publish to the quarantine by name": publish("", "quarantine"),
    "publish to the journal by name": publish("", "journal"),
    "publish to another's own exchange": publish(f"sub.{CUSTOMS}.x"),
    "bind to another's standing queues' exchange": bind_own(f"standing.{CUSTOMS}"),
    "bind to its own standing queues' exchange": bind_own(f"standing.{BORDER}"),
    "bind to what RabbitMQ traces": bind_own("amq.rabbitmq.trace"),
    "bind another's own queue": lambda c: c.queue_bind(f"sub.{CUSTOMS}.a", f"feed.{BORDER}", "#"),
    "lead its own exchange to another": own_exchange(
        lambda c: c.exchange_bind(f"in.{CUSTOMS}", f"{OWN}.x", "#"),
    ),
    "lead its own exchange to deliver": own_exchange(lambda c: c.exchange_bind("deliver", f"{OWN}.x", "#")),
    "lead its own exchange into its inbox": own_exchange(
        lambda c: c.queue_bind(f"inbox.{BORDER}.alert", f"{OWN}.x", "#")
    ),
    "lead its own exchange into another's inbox": own_exchange(
        lambda c: c.queue_bind(f"inbox.{CUSTOMS}.alert", f"{OWN}.x", "#")
    ),
    "lead another's feed to its own exchange": own_exchange(
        lambda c: c.exchange_bind(f"{OWN}.x", f"feed.{CUSTOMS}", "#")
    ),
    "lead deliver to its own exchange": own_exchange(lambda c: c.exchange_bind(f"{OWN}.x", "deliver", "#")),
    "fall back to deliver": falling_back("deliver"),
    "fall back to another's exchange": falling_back(f"in.{CUSTOMS}"),
    "fall back to the default exchange": falling_back(""),
    "dead-letter to another's standing queues": own_queue("dead", x_dead_letter_exchange=f"standing.{CUSTOMS}"),
    "dead-letter to another's feed": own_queue("dead", x_dead_letter_exchange=f"feed.{CUSTOMS}"),
    "dead-letter to its own feed": own_queue("dead", x_dead_letter_exchange=f"feed.{BORDER}"),
    "dead-letter by the default exchange": own_queue(
        "dead", x_dead_letter_exchange="", x_dead_letter_routing_key="quarantine"
    ),
    "make its inbox small": lambda c: c.queue_declare(
        f"inbox.{BORDER}.alert", durable=True, arguments={"x-max-length": 1}
    ),
    "make its ingress another kind": lambda c: c.queue_declare(f"ingress.{BORDER}.alert"),
    "make its exchange another kind": lambda c: c.exchange_declare(f"in.{BORDER}", "fanout", durable=True),
    "make its feed another kind": lambda c: c.exchange_declare(f"feed.{BORDER}", "fanout", durable=True),
    "make an exchange of RabbitMQ's": lambda c: c.exchange_declare("amq.mine", "topic"),
    "delete its log": lambda c: c.queue_delete(f"log.{BORDER}"),
    "delete its feed": lambda c: c.exchange_delete(f"feed.{BORDER}"),
    "delete the quarantine": lambda c: c.queue_delete("quarantine"),
    "delete the journal": lambda c: c.queue_delete("journal"),
    "delete another's ingress": lambda c: c.queue_delete(f"ingress.{CUSTOMS}.alert"),
    "purge the quarantine": lambda c: c.queue_purge("quarantine"),
    "purge its own ingress": lambda c: c.queue_purge(f"ingress.{BORDER}.alert"),
    "purge another's ingress": lambda c: c.queue_purge(f"ingress.{CUSTOMS}.alert"),
    "get from another's own queue": lambda c: c.basic_get(f"sub.{CUSTOMS}.a"),
    "get from its own ingress": lambda c: c.basic_get(f"ingress.{BORDER}.alert"),
    "get from another's inbox": lambda c: c.basic_get(f"inbox.{CUSTOMS}.alert"),
}


async def test_what_is_beyond_an_agencys_rights_is_refused_changes_nothing_and_harms_nobody(house: House) -> None:
    await house.start()
    await in_thread(house.url(CUSTOMS), lambda c: c.queue_declare(f"sub.{CUSTOMS}.a", durable=True))
    await in_thread(house.url(CUSTOMS), lambda c: c.exchange_declare(f"sub.{CUSTOMS}.x", "topic", durable=True))
    before = await standing(house)
    assert {what: code for what, attack in REFUSED.items() if (code := await seen(house, attack)) != 403} == {}
    assert await standing(house) == before
    assert await house.messages_in("quarantine") == 0
    assert await house.messages_in(f"inbox.{CUSTOMS}.alert") == 0
    await still_passes(house)


RECEIPT = {
    "type": "receipt.accepted",
    "dataschema": "urn:cbm:receipt:1",
    "data": {"disposition": "accepted", "of": {"id": "1", "type": "alert.issued"}, "recipients": 3},
}
FORGED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another's source": (alert(CUSTOMS, id="f1"), {}, "wrong-source"),
    "another's source and app_id": (alert(CUSTOMS, id="f2"), {"app_id": CUSTOMS}, "wrong-source"),
    "another's app_id": (alert(id="f3"), {"app_id": CUSTOMS}, "property-mismatch"),
    "another's id in the properties": (alert(id="f4"), {"message_id": "other"}, "property-mismatch"),
    "what is withheld": (alert(id="f5", withheld="/data/place"), {}, "broker-only-attribute"),
    "the time of receipt": (alert(id="f6", receivedtime="2026-01-01T00:00:00Z"), {}, "broker-only-attribute"),
    "a receipt": (alert(id="f7") | RECEIPT, {}, "broker-only-type"),
    "the lane": (shipment(BORDER, id="f8"), {}, "wrong-lane"),
    "the broker's headers": (
        alert(CUSTOMS, id="f9"),
        {
            "headers": {
                "x-cbm-agency": CUSTOMS,
                "x-cbm-disposition": "accepted",
                "x-cbm-resent": True,
                "ce-tlp": "CLEAR",
            }
        },
        "wrong-source",
    ),
    "a history of dead lettering": (
        alert(CUSTOMS, id="f10"),
        {"headers": {"x-death": [{"exchange": f"in.{CUSTOMS}", "reason": "rejected", "count": 9}]}},
        "wrong-source",
    ),
    "who published": (alert(CUSTOMS, id="f11"), {"user_id": BORDER}, "wrong-source"),
}


async def test_whatever_is_forged_is_refused_with_a_receipt_recorded_and_reaches_nobody(house: House) -> None:
    await house.start()
    async with logged() as entries:
        for content, properties, _ in FORGED.values():
            assert await seen(house, publish(f"in.{BORDER}", "alert", as_bytes(content), **properties)) == 0
        async with collecting(house, f"inbox.{BORDER}.receipt") as receipts:
            await receipts.until(len(FORGED))
    told = {one["data"]["of"]["id"]: one["data"] for one in receipts.contents}
    settled = {one["message_id"]: one for one in entries if one["event"] == "message.settled"}
    for what, (content, _, code) in FORGED.items():
        data = told[content["id"]]
        assert data["disposition"] == "refused", what
        assert code in {fault["code"] for fault in data["faults"]}, what
        assert code in settled[content["id"]]["faults"], what
        # Recorded under who RabbitMQ says it was.
        assert settled[content["id"]]["agency"] == BORDER
        assert await recorded(house, content["id"]) == ["refused"], what
    assert await house.messages_in("quarantine") == len(FORGED)
    for agency in (CUSTOMS, QUARANTINE):
        for kind in ("alert", "shipment", "receipt"):
            assert await house.messages_in(f"inbox.{agency}.{kind}") == 0
    await still_passes(house)


async def test_ids_that_another_uses_are_not_taken_from_it(house: House) -> None:
    await house.start()
    assert await dispositions(house, BORDER, [alert(id="same"), alert(CUSTOMS, id="also")]) == ["accepted", "refused"]
    assert (
        await dispositions(house, CUSTOMS, [alert(CUSTOMS, id="same"), alert(CUSTOMS, id="also")]) == ["accepted"] * 2
    )


async def test_every_topic_on_its_own_feed_shows_an_agency_only_what_is_its_own(house: House) -> None:
    await house.start()
    await in_thread(house.url(BORDER), own_queue("all", "#", "shipment.#", "*.*.*.*", f"to.{QUARANTINE}", "receipt.#"))
    await dispositions(house, CUSTOMS, [shipment(), shipment(), alert(CUSTOMS, recipients=QUARANTINE)])
    mine = alert(CUSTOMS, recipients=BORDER)
    await dispositions(house, CUSTOMS, [mine])
    _, _, body = await in_thread(house.url(BORDER), lambda channel: take(channel, f"{OWN}.all"))
    assert json.loads(body)["id"] == mine["id"]
    assert await house.messages_in(f"{OWN}.all") == 0


def full(name: str, **arguments: Any) -> Attack:
    """A queue that refuses all but one message."""
    return own_queue(name, "#", x_max_length=1, x_overflow="reject-publish", **arguments)


def full_behind_an_exchange(channel: BlockingChannel) -> None:
    own_exchange()(channel)
    channel.exchange_bind(f"{OWN}.x", f"feed.{BORDER}", "#")
    channel.queue_declare(f"{OWN}.behind", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.queue_bind(f"{OWN}.behind", f"{OWN}.x", "#")


STUBBORN: dict[str, Attack] = {
    "a classic queue": full("full"),
    "a quorum queue": full("full", x_queue_type="quorum"),
    "a queue that dead-letters what it refuses": in_turn(
        own_exchange(),
        own_queue("full", "#", x_max_length=1, x_overflow="reject-publish-dlx", x_dead_letter_exchange=f"{OWN}.x"),
    ),
    "a queue of nothing": own_queue("none", "#", x_max_length=0, x_overflow="reject-publish"),
    "a queue behind an exchange of its own": full_behind_an_exchange,
}


@pytest.mark.parametrize("kind", STUBBORN)
async def test_an_own_queue_that_refuses_holds_up_nobody_and_nobody_receives_anything_twice(
    house: House, kind: str
) -> None:
    await house.start()
    await in_thread(house.url(BORDER), in_turn(STUBBORN[kind], own_queue("good", "#")))
    contents = [alert(CUSTOMS, id=f"a{number}") for number in range(40)]
    async with (
        logged() as entries,
        collecting(house, f"inbox.{QUARANTINE}.alert") as other,
        collecting(house, f"inbox.{BORDER}.alert") as attacker,
        collecting(house, f"inbox.{CUSTOMS}.receipt") as receipts,
        collecting(house, f"{OWN}.good") as good,
    ):
        began = time.monotonic()
        # A quorum queue notices late that it is full.
        for half, count in ((contents[:20], 20), (contents[20:], 40)):
            await flood(house, CUSTOMS, "alert", half)
            await receipts.until(count)
        assert time.monotonic() - began < PROMPT_S
        ids = [content["id"] for content in contents]
        assert (other.ids, attacker.ids) == (ids, ids)
        await good.until(40)
        assert good.ids == ids
        # What the attacker itself sends and is told of passes too.
        assert await dispositions(house, BORDER, [alert()]) == ["accepted"]
        missed = {entry["agency"] for entry in entries if entry["event"] == "feed.missed"}
        # Of a quorum queue RabbitMQ heeds the policy, which has it drop its oldest.
        assert missed == (set() if kind == "a quorum queue" else {BORDER})
        assert not await said(entries, "message.held")()
        assert not await said(entries, "amqp.lost")()


def long_thought(channel: BlockingChannel) -> None:
    """Bindings over which RabbitMQ thinks for seconds at each message: on the feed and behind an own exchange."""
    hashes = ".".join("#" * 24)
    own_queue("slow", hashes)(channel)
    own_exchange()(channel)
    channel.exchange_bind(f"{OWN}.x", f"feed.{BORDER}", "#")
    channel.queue_bind(f"{OWN}.slow", f"{OWN}.x", hashes)


async def test_bindings_made_to_keep_rabbitmq_thinking_delay_nobody(house: House) -> None:
    await house.start()
    await in_thread(house.url(QUARANTINE), lambda c: c.queue_declare(f"sub.{QUARANTINE}.own", durable=True))
    await in_thread(house.url(QUARANTINE), lambda c: c.queue_bind(f"sub.{QUARANTINE}.own", f"feed.{QUARANTINE}", "#"))
    await in_thread(house.url(BORDER), long_thought)
    contents = [alert(CUSTOMS, id=f"a{number}") for number in range(3)]
    async with (
        logged() as entries,
        collecting(house, f"inbox.{QUARANTINE}.alert") as inbox,
        collecting(house, f"sub.{QUARANTINE}.own") as own,
        collecting(house, f"inbox.{BORDER}.alert") as attacker,
    ):
        began = time.monotonic()
        await flood(house, CUSTOMS, "alert", contents)
        for queue in (inbox, own, attacker):
            await queue.until(3, PROMPT_S)
            assert queue.ids == [content["id"] for content in contents]
        # Over all three together RabbitMQ thinks for longer than that.
        assert time.monotonic() - began < 4, "they waited for the attacker's bindings"
        await until(said(entries, "feed.slow"))
        assert [entry["agency"] for entry in entries if entry["event"] == "feed.slow"] == [BORDER]
    await still_passes(house)
    assert not await said(entries, "amqp.lost")()


@pytest.mark.parametrize("how", ["expire", "reject"])
async def test_what_an_own_queue_dead_letters_comes_back_as_the_agencys_own_and_never_round_for_ever(
    house: House, how: str
) -> None:
    await house.start()
    arguments: dict[str, Any] = {"x_dead_letter_exchange": f"in.{BORDER}", "x_dead_letter_routing_key": "alert"}
    expiring = {"x_message_ttl": 1} if how == "expire" else {}
    await in_thread(house.url(BORDER), own_queue("dead", "#", **arguments, **expiring))
    content = alert(CUSTOMS, id="of-customs")
    async with logged() as entries:
        assert await dispositions(house, CUSTOMS, [content]) == ["accepted"]

        def reject(channel: BlockingChannel) -> None:
            for _ in range(2):
                deadline = time.monotonic() + WAIT_S
                while (found := channel.basic_get(f"{OWN}.dead")[0]) is None and time.monotonic() < deadline:
                    channel.connection.sleep(0.02)
                channel.basic_reject(found.delivery_tag, requeue=False)

        if how == "reject":
            # The alert first, then the receipt that says that it was refused as the border agency's.
            await in_thread(house.url(BORDER), reject)

        def ends() -> list[tuple[str, str]]:
            mine = [e for e in entries if e["event"] == "message.settled" and e["agency"] == BORDER]
            return [(e["disposition"], e["type"]) for e in mine]

        async def both() -> bool:
            return len(ends()) >= 2

        await until(both)
        await asyncio.sleep(0.5)
        # The alert as the border agency's, and the receipt of that, which gets none.
        assert ends() == [("refused", "alert.issued"), ("refused", "receipt.refused")]
    assert await house.messages_in("quarantine") == 2
    assert await house.messages_in(f"inbox.{BORDER}.receipt") == 1
    assert sorted(await recorded(house, "of-customs")) == ["accepted", "refused"]
    await still_passes(house)


def deep(depth: int) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for _ in range(depth):
        table = {"t": table}
    return table


async def test_what_is_made_to_take_memory_is_refused_or_read_and_passed_by(house: House) -> None:
    await house.start()
    large = alert(id="large")
    large["data"]["description"] = "x" * (1024 * 1024)
    assert await seen(house, publish(f"in.{BORDER}", "alert", as_bytes(large))) == 0
    # Far too large: RabbitMQ closes the channel before it takes it.
    assert await seen(house, publish(f"in.{BORDER}", "alert", bytes(3 * 1024 * 1024))) == 406
    many: dict[str, Any] = {f"h{number}": "x" for number in range(8000)}
    hostile = {"deep": deep(300), "many": many, "long": {"h": "x" * 100_000}}
    for name, headers in hostile.items():
        attack = publish(f"in.{BORDER}", "alert", as_bytes(alert(id=name)), headers=headers)
        assert await seen(house, attack) == 0
    # More than a frame: RabbitMQ ends the connection.
    assert await seen(house, publish(f"in.{BORDER}", headers={"h": "x" * 200_000})) == 501
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert await seen(house, publish(f"in.{BORDER}", "alert", nested)) == 0
    async with collecting(house, f"inbox.{BORDER}.receipt") as receipts:
        await receipts.until(5)
    told = {one["data"]["of"]["id"]: one["data"]["disposition"] for one in receipts.contents}
    assert told.pop("large") == "refused"
    assert [told.pop(name) for name in hostile] == ["accepted"] * 3
    assert list(told.values()) == ["refused"]
    _, props, _ = await in_thread(house.url(QUARANTINE), lambda c: take(c, f"inbox.{QUARANTINE}.alert"))
    assert not {"deep", "many", "t", "h0"} & set(props.headers)
    await still_passes(house)


async def test_deliveries_never_acknowledged_and_greedy_consumers_harm_their_own_agency_only(house: House) -> None:
    await house.start()
    await flood(house, CUSTOMS, "alert", [alert(CUSTOMS) for _ in range(300)])
    inbox = f"inbox.{BORDER}.alert"

    def hold(channel: BlockingChannel) -> int:
        held: list[int] = []
        channel.basic_consume(inbox, lambda _, method, *__: held.append(method.delivery_tag), exclusive=True)
        other = channel.connection.channel()
        other.basic_qos(prefetch_count=10)
        other.basic_consume(f"inbox.{BORDER}.receipt", lambda *_: None, arguments={"x-priority": 2**31 - 1})
        deadline = time.monotonic() + WAIT_S
        while len(held) < 300 and time.monotonic() < deadline:
            channel.connection.process_data_events(0.05)
        return len(held)

    holding = asyncio.create_task(in_thread(house.url(BORDER), hold))
    await still_passes(house)
    # The one that passes meanwhile may be among them.
    assert await holding >= 300

    async def back() -> bool:
        return await house.messages_in(inbox) >= 300

    await until(back)


OFFSETS: tuple[Any, ...] = (10**15, -1, "garbage", "", "1000000000Y", {"a": 1}, True, "next", 2**63 - 1)


async def test_no_stream_offset_harms_the_log_or_anybody(house: House) -> None:
    await house.start()
    await dispositions(house, CUSTOMS, [alert(CUSTOMS, id="logged")])

    def replay(offset: Any) -> Attack:
        def work(channel: BlockingChannel) -> str | None:
            channel.basic_qos(prefetch_count=1)
            arguments = {"x-stream-offset": offset}
            for method, _, body in channel.consume(f"log.{BORDER}", arguments=arguments, inactivity_timeout=0.3):
                return None if method is None else str(json.loads(body)["id"])
            return None

        return work

    for offset in OFFSETS:
        # Nothing, or a refusal of this channel or connection: which, differs from version to version.
        assert await seen(house, replay(offset)) in (0, 406, 540, 541), offset
    assert await in_thread(house.url(BORDER), replay("first")) == "logged"
    assert await seen(house, lambda c: c.queue_purge(f"log.{BORDER}")) in (405, 540)
    await still_passes(house)


async def test_connections_and_channels_beyond_an_agencys_limits_are_refused_and_others_connect(house: House) -> None:
    settings = limited(house.settings, connections_per_agency=4, channels_per_agency=6)
    await house.start(settings)

    def connections(url: str) -> int:
        opened = []
        try:
            for _ in range(10):
                opened.append(pika.BlockingConnection(pika.URLParameters(url)))
        except pika.exceptions.AMQPConnectionError:
            pass
        made = len(opened)
        for one in opened:
            one.close()
        return made

    def channels(channel: BlockingChannel) -> None:
        for _ in range(10):
            channel.connection.channel()

    assert await asyncio.to_thread(connections, house.url(BORDER)) == 4
    assert await seen(house, channels) in (504, 530)
    await still_passes(house)


async def test_an_agency_that_declares_queues_without_end_is_held_to_its_share_and_others_go_on(house: House) -> None:
    settings = limited(house.settings, queues_per_agency=10)
    await house.start(settings)
    declared: list[str] = []

    def endless(channel: BlockingChannel) -> None:
        for number in range(1000):
            channel.queue_declare(f"{OWN}.q{number:03}", durable=True)
            declared.append(f"{OWN}.q{number:03}")
            channel.exchange_declare(f"{OWN}.x{number:03}", "topic", durable=True)
        raise AssertionError("there was no end")

    def listen(channel: BlockingChannel) -> None:
        channel.queue_declare(f"sub.{CUSTOMS}.mine", durable=True)

    assert await seen(house, endless) in (405, 406)
    assert 10 < len(declared) < 100
    # The others' turn comes when the broker has taken back what is beyond the share.
    assert await seen(house, listen, CUSTOMS) in (405, 406)

    async def trimmed() -> bool:
        await trim_own(settings, house.node.management)
        vhost = quoted(house.vhost)
        found = [await house.node.management.get(f"{what}/{vhost}") for what in ("queues", "exchanges")]
        return [sum(one["name"].startswith(OWN) for one in some) for some in found] == [10, 10]

    async with logged() as entries:
        await until(trimmed)
    assert {entry["agency"] for entry in entries if entry["event"] == "agency.trimmed"} == {BORDER}
    assert await seen(house, listen, CUSTOMS) == 0
    await still_passes(house)


async def test_the_name_of_anothers_queue_is_good_for_nothing_but_its_number_of_messages(house: House) -> None:
    # RabbitMQ below 4.3 lets every user ask of any queue how many messages wait in it; no right forbids it.
    await house.start()
    for queue in (f"inbox.{CUSTOMS}.alert", f"log.{CUSTOMS}", f"ingress.{CUSTOMS}.alert", "quarantine", "journal"):
        told: list[set[str]] = []

        def ask(channel: BlockingChannel, queue: str = queue, told: list[set[str]] = told) -> None:
            told.append(set(vars(channel.queue_declare(queue, passive=True).method)))

        assert await seen(house, ask) in (0, 403)
        assert all(fields == {"queue", "message_count", "consumer_count"} for fields in told)
    assert await seen(house, lambda c: c.queue_declare(f"sub.{CUSTOMS}.guessed", passive=True)) in (403, 404)
    await still_passes(house)


async def test_consuming_what_only_the_broker_consumes_is_refused_and_recorded_by_rabbitmq(house: House) -> None:
    await house.start()
    for queue in (f"ingress.{BORDER}.alert", f"ingress.{CUSTOMS}.alert", "quarantine", "journal"):
        assert (
            await seen(house, lambda c, queue=queue: (c.basic_qos(prefetch_count=1), c.basic_consume(queue, print)))
            == 403
        )
    log_file = house.node.folder / "log" / "rabbit.log"

    async def written() -> bool:
        text = log_file.read_text(errors="replace")
        return f"'{BORDER}'" in text and "ingress." in text and house.vhost in text

    await until(written)
    await still_passes(house)


async def test_an_agencys_password_opens_nothing_of_the_management_api(house: House) -> None:
    password = Credentials(house.folder).get(BORDER)
    as_agency = Management(house.node.management.url, BORDER, password)
    for path in ("overview", "whoami", "definitions", f"queues/{quoted(house.vhost)}", f"users/{BORDER}"):
        with pytest.raises(NotAuthorised):
            await as_agency.get(path)
    with pytest.raises(NotAuthorised):
        await as_agency.put(
            f"permissions/{quoted(house.vhost)}/{BORDER}", {"configure": ".*", "write": ".*", "read": ".*"}
        )


async def receipt_of(house: House, content: dict[str, Any]) -> bytes:
    """The receipt of one message as bytes, without what is different in any two."""

    def work(channel: BlockingChannel) -> bytes:
        send(channel, CUSTOMS, content)
        return take(channel, f"inbox.{CUSTOMS}.receipt")[2]

    body: bytes = await in_thread(house.url(CUSTOMS), work)
    told = json.loads(body)
    for own in (told["id"], told["time"], content["id"]):
        body = body.replace(own.encode(), b"*" * 8)
    return body


async def test_a_receipt_does_not_tell_who_exists_or_receives_beyond_the_agreements(house: House) -> None:
    await house.start()
    pairs = {
        "RED, to one without an agreement, or to none at all": (
            shipment(tlp="RED", recipients=BORDER),
            shipment(tlp="RED", recipients="xx.nobody"),
        ),
        "RED, where the agreement does not carry it": (
            alert(CUSTOMS, tlp="RED", recipients=BORDER),
            alert(CUSTOMS, tlp="RED", recipients="xx.nobody"),
        ),
        "beside one who may": (
            shipment(recipients=f"{QUARANTINE} {BORDER}"),
            shipment(recipients=f"{QUARANTINE} xx.nobody"),
        ),
    }
    for what, (one, other) in pairs.items():
        assert await receipt_of(house, one) == await receipt_of(house, other), what


async def test_the_time_a_receipt_takes_does_not_tell_whether_an_agency_exists(house: House) -> None:
    await house.start()
    took: dict[str, list[float]] = {BORDER: [], "xx.nobody": []}

    def work(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        for number in range(120):
            recipient = (BORDER, "xx.nobody")[(number + number // 2) % 2]
            content = shipment(tlp="RED", recipients=recipient)
            began = time.perf_counter()
            send_once(channel, content)
            while channel.basic_get(f"inbox.{CUSTOMS}.receipt", auto_ack=True)[0] is None:
                # A thread that waits without an end would outlive its test, and the run could never end.
                assert time.perf_counter() - began < WAIT_S, "no receipt came"
            took[recipient].append(time.perf_counter() - began)

    def send_once(channel: BlockingChannel, content: dict[str, Any]) -> None:
        props = pika.BasicProperties(content_type=STRUCTURED, delivery_mode=2, message_id=content["id"])
        channel.basic_publish(f"in.{CUSTOMS}", "shipment", as_bytes(content), props, mandatory=True)

    await in_thread(house.url(CUSTOMS), work)
    medians = {recipient: statistics.median(times) for recipient, times in took.items()}
    spread = statistics.quantiles([*took[BORDER], *took["xx.nobody"]], n=4)
    # A difference that could be seen through the noise would be one of the noise's own size.
    assert abs(medians[BORDER] - medians["xx.nobody"]) <= max(spread[2] - spread[0], 0.002), medians


async def test_an_agency_that_fills_the_quarantine_waits_alone(house: House) -> None:
    await house.start(limited(house.settings, quarantine_hourly_messages=10, batch_messages=5))
    garbage = [alert(BORDER, specversion="0.3") for _ in range(60)]
    async with logged() as entries:
        await flood(house, BORDER, "alert", garbage)
        await until(said(entries, "lane.throttled"))
        assert {entry["agency"] for entry in entries if entry["event"] == "lane.throttled"} == {BORDER}
    taken = await house.messages_in("quarantine")
    assert 10 <= taken <= 20
    # Nobody else notices; what others have to refuse is refused at once.
    assert await dispositions(house, CUSTOMS, [alert(CUSTOMS)]) == ["accepted"]
    assert await dispositions(house, CUSTOMS, [alert(CUSTOMS, specversion="0.3")]) == ["refused"]
    assert await house.messages_in("quarantine") == taken + 1
