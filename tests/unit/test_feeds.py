"""The way to agencies' own queues: in order, never too much at once, and with nobody waiting for long."""

from typing import Any

import pytest

from broker.amqp import Properties, properties
from broker.feeds import BACKLOG_BYTES, BACKLOG_COPIES, LATE_S, TRIES, WINDOW_BYTES, WINDOW_COPIES, Awaited, Feed
from schemas.errors import ConnectionLost, PublishNacked
from tests.harness import BORDER
from tests.integration.tools import logged

PROPERTIES = properties(content_type="text/plain")


class Wire:
    """A channel that takes what it is given and answers when it is told to."""

    def __init__(self) -> None:
        self.is_open = True
        self.session: Any = self
        self.taken: list[tuple[int, bytes]] = []
        self.answered = 0
        self.feed: Feed | None = None

    def publish(
        self, _: str, __: str, body: bytes, ___: Properties, feed: Feed, index: int, *, mandatory: bool
    ) -> None:
        self.feed = feed
        self.taken.append((index, body))

    def abort(self, reason: str) -> None:
        """As a session's: it is over."""

    def answer(self, count: int, error: Exception | None = None) -> None:
        """Confirm, or refuse, the next so many."""
        assert self.feed is not None
        for _ in range(count):
            if self.answered < len(self.taken):
                self.answered += 1
                self.feed.settle(self.taken[self.answered - 1][0], error)  # type: ignore[arg-type]

    def end(self) -> None:
        """Lose the channel, with all that was not answered."""
        self.is_open = False
        self.answer(len(self.taken) - self.answered, ConnectionLost("gone"))

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.taken]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def feed(wire: Wire, clock: list[float]) -> Feed:
    return Feed(BORDER, wire, lambda: clock[-1])  # type: ignore[arg-type]


def offer(feed: Feed, *bodies: bytes, awaited: Awaited | None = None) -> None:
    for body in bodies:
        feed.offer("key", body, PROPERTIES, awaited or Awaited())


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_copies_go_out_in_order_and_never_more_than_rabbitmq_lets_wait_for_a_channel(feed: Feed, wire: Wire) -> None:
    offer(feed, *numbered(3 * WINDOW_COPIES))
    while wire.answered < 3 * WINDOW_COPIES:
        assert len(wire.taken) - wire.answered <= WINDOW_COPIES < 400
        wire.answer(7)
    assert wire.bodies == numbered(3 * WINDOW_COPIES)


def test_large_copies_go_out_fewer_at_once(feed: Feed, wire: Wire) -> None:
    offer(feed, *[bytes(WINDOW_BYTES // 2)] * 10)
    assert len(wire.taken) == 2
    wire.answer(1)
    assert len(wire.taken) == 3


async def test_whoever_waits_waits_until_all_copies_are_taken_or_refused(feed: Feed, wire: Wire) -> None:
    awaited = Awaited()
    offer(feed, *numbered(5), awaited=awaited)
    wire.answer(2)
    wire.answer(3, PublishNacked("full"))
    async with logged() as entries:
        await awaited.wait()
    assert entries == []


async def test_a_feed_that_was_waited_for_in_vain_is_not_waited_for_again_and_takes_only_so_much(
    feed: Feed, wire: Wire, clock: list[float]
) -> None:
    async with logged() as entries:
        feed.be_late()
        feed.be_late()
        awaited = Awaited()
        offer(feed, *numbered(WINDOW_COPIES + BACKLOG_COPIES), awaited=awaited)
        await awaited.wait()
        assert [entry["event"] for entry in entries] == ["feed.slow"]
        offer(feed, b"one too many", b"and another")
        # Said once a minute, not for each.
        assert [(entry["event"], entry.get("count")) for entry in entries[1:]] == [("feed.missed", 1)]
        wire.answer(WINDOW_COPIES + BACKLOG_COPIES)
        assert wire.bodies == numbered(WINDOW_COPIES + BACKLOG_COPIES)
        clock.append(LATE_S + 1)
        awaited = Awaited()
        offer(feed, b"later", awaited=awaited)
        wire.answer(1)
        await awaited.wait()
        assert entries[2:] == []


def test_a_feed_that_never_answers_stays_late_and_what_waits_for_it_does_not_grow(
    feed: Feed, wire: Wire, clock: list[float]
) -> None:
    for minute in range(100):
        clock.append(minute * (LATE_S + 1))
        offer(feed, *numbered(BACKLOG_COPIES // 10))
        feed.be_late()
    clock.append(clock[-1] + 10 * LATE_S)
    offer(feed, *numbered(10))
    wire.answer(10**6)
    assert len(wire.taken) == WINDOW_COPIES + BACKLOG_COPIES


def test_a_late_feed_holds_only_so_many_bytes(feed: Feed, wire: Wire) -> None:
    feed.be_late()
    size = 1024 * 1024
    offer(feed, *[bytes(size)] * 100)
    wire.answer(1000)
    assert len(wire.taken) == (WINDOW_BYTES + BACKLOG_BYTES) // size


def test_over_a_new_channel_what_was_not_answered_comes_first_and_nothing_more_often_than_allowed(
    feed: Feed, wire: Wire
) -> None:
    offer(feed, *numbered(WINDOW_COPIES + 10))
    wire.answer(100)
    wire.end()
    offer(feed, b"meanwhile")
    second = Wire()
    feed.renew(second)  # type: ignore[arg-type]
    expected = [*numbered(WINDOW_COPIES + 10)[100:], b"meanwhile"]
    assert second.bodies == expected
    second.end()
    third = Wire()
    feed.renew(third)  # type: ignore[arg-type]
    # Whatever was sent as often as allowed may be what ends the connection.
    assert TRIES == 2
    assert third.bodies == [b"meanwhile"]
