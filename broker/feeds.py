"""What agencies bound for themselves: each feed gets a copy of what its agency's standing queues get.

Owns the publishes to `feed.<agency>`, on a connection of their own with a channel for each agency. Never
says whether a message is delivered: that is for inboxes and logs, which are reached without any of this.

An agency makes and binds queues and exchanges of its own as it likes: one that refuses what it is sent, a
thousand that all get it, a binding over which RabbitMQ thinks for minutes. RabbitMQ does such work within the
channel that publishes, and refuses the publish where one queue of many refuses it. So whoever publishes to
an agency's own queues must be prepared to be stopped by them, and nobody else may wait for it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from broker.amqp import Properties, Publisher, Session
from broker.logs import log
from broker.names import feed_exchange
from schemas.errors import CbmError

# So many copies are under way to one feed. RabbitMQ reads no more of a connection when more than 400 wait for
# one of its channels, and all feeds share the connection.
WINDOW_COPIES = 256
WINDOW_BYTES = 4 * 1024 * 1024
# So much waits for a feed that nobody waits for; what is more, its own queues miss.
BACKLOG_COPIES = 10_000
BACKLOG_BYTES = 16 * 1024 * 1024
# How long a batch waits for copies, and for how long at least nobody waits for an agency's that took longer.
PATIENCE_S = 1.0
LATE_S = 60.0
# How often it is said of an agency that its own queues miss something.
REPORT_S = 60.0
# How often a copy is sent whose connection ended before it was confirmed: it may be what ended it.
TRIES = 2
_REOPEN_MIN_S, _REOPEN_MAX_S = 0.1, 10.0


class Awaited:
    """The copies of one batch that are waited for."""

    def __init__(self) -> None:
        self._open: dict[Feed, int] = {}
        self._done: asyncio.Future[None] | None = None

    def expect(self, feed: "Feed") -> None:
        """Wait for one more copy of a feed."""
        self._open[feed] = self._open.get(feed, 0) + 1

    def settle(self, feed: "Feed") -> None:
        """One copy of a feed was taken, or refused for good."""
        if feed in self._open:
            self._open[feed] -= 1
            if not self._open[feed]:
                del self._open[feed]
        if not self._open and self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def wait(self) -> None:
        """Wait for them, but not long: whose copies take longer are not waited for during the next minute."""
        if self._open:
            self._done = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._done], timeout=PATIENCE_S)
            for feed in self._open:
                feed.be_late()


@dataclass(slots=True)
class _Copy:
    key: str
    body: bytes
    properties: Properties
    awaited: Awaited | None
    tries: int = 0


class Feed:
    """The way to one agency's own queues; hears of each copy what became of it."""

    def __init__(self, agency: str, publisher: Publisher | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._agency = agency
        self._exchange = feed_exchange(agency)
        self._publisher = publisher
        self._clock = clock
        self._waiting: deque[_Copy] = deque()
        self._waiting_bytes = 0
        self._under_way: dict[int, _Copy] = {}
        self._under_way_bytes = 0
        self._number = 0
        self._late = False
        self._late_until = 0.0
        self._missed = 0
        self._report_at = clock()

    def be_late(self) -> None:
        """Somebody waited in vain."""
        if not self._is_late():
            log.warning("feed.slow", agency=self._agency, count=len(self._under_way), wait_s=LATE_S)
        self._late, self._late_until = True, self._clock() + LATE_S

    def _is_late(self) -> bool:
        # However long it takes: what is offered in between must not pile up.
        if self._late and self._clock() >= self._late_until and not self._waiting and not self._under_way:
            self._late = False
        return self._late

    def offer(self, key: str, body: bytes, properties: Properties, awaited: Awaited) -> None:
        """Publish a copy, after those before it; what is too much for a feed that is late is missed."""
        if self._is_late():
            if len(self._waiting) >= BACKLOG_COPIES or self._waiting_bytes >= BACKLOG_BYTES:
                self._miss()
                return
            copy = _Copy(key, body, properties, None)
        else:
            awaited.expect(self)
            copy = _Copy(key, body, properties, awaited)
        self._waiting.append(copy)
        self._waiting_bytes += len(body)
        self._publish()

    def _publish(self) -> None:
        publisher = self._publisher
        while (
            self._waiting
            and publisher is not None
            and publisher.is_open
            and len(self._under_way) < WINDOW_COPIES
            and self._under_way_bytes < WINDOW_BYTES
        ):
            copy = self._waiting.popleft()
            copy.tries += 1
            size = len(copy.body)
            self._waiting_bytes -= size
            self._under_way_bytes += size
            self._number += 1
            self._under_way[self._number] = copy
            # Not mandatory: most agencies have nothing bound, and all of it would come back.
            publisher.publish(self._exchange, copy.key, copy.body, copy.properties, self, self._number, mandatory=False)

    def expect(self) -> None:
        """Nothing to count: what is under way is known."""

    def settle(self, index: int, error: CbmError | None) -> None:
        """A copy was taken, or refused; refused ones are not sent again, for other queues may have them."""
        if self._publisher is None or not self._publisher.is_open:
            # Its outcome is unknown. `renew` sends it again.
            if self._publisher is not None:
                self._publisher.session.abort(str(error))
            return
        copy = self._under_way.pop(index)
        self._under_way_bytes -= len(copy.body)
        if error is not None:
            self._miss()
        if copy.awaited is not None:
            copy.awaited.settle(self)
        self._publish()

    def renew(self, publisher: Publisher) -> None:
        """Go on over another channel, with what was under way first."""
        self._publisher = publisher
        again, self._under_way, self._under_way_bytes = self._under_way, {}, 0
        for copy in reversed(again.values()):
            if copy.tries < TRIES:
                self._waiting.appendleft(copy)
                self._waiting_bytes += len(copy.body)
            else:
                self._miss()
                if copy.awaited is not None:
                    copy.awaited.settle(self)
        self._publish()

    def _miss(self) -> None:
        """One of its queues does not get what its inboxes and log have; said at most once a minute."""
        self._missed += 1
        now = self._clock()
        if now >= self._report_at:
            log.warning("feed.missed", agency=self._agency, count=self._missed)
            self._missed, self._report_at = 0, now + REPORT_S


class Feeds:
    """All agencies' feeds over one connection, which is opened anew by itself: nobody else depends on it."""

    def __init__(self, agencies: Sequence[str], connect: Callable[[], Awaitable[Session]]) -> None:
        self._connect = connect
        self._feeds = {agency: Feed(agency, None) for agency in agencies}

    def offer(self, agencies: Sequence[str], key: str, body: bytes, properties: Properties, awaited: Awaited) -> None:
        """Give agencies' own queues a copy, without waiting; `awaited` is then waited for."""
        for agency in agencies:
            # One that only just entered the configuration has bound nothing yet.
            if (feed := self._feeds.get(agency)) is not None:
                feed.offer(key, body, properties, awaited)

    async def run(self, ready: asyncio.Event) -> None:
        """Keep the connection until cancelled; sets `ready` when it stands for the first time."""
        wait_s = _REOPEN_MIN_S
        while True:
            session: Session | None = None
            try:
                session = await self._connect()
                await self._open(session)
                ready.set()
                began = time.monotonic()
                reason = await asyncio.shield(session.lost)
                if time.monotonic() - began > _REOPEN_MAX_S:
                    wait_s = _REOPEN_MIN_S
                log.warning("feed.lost", reason=str(reason), wait_s=wait_s)
            except (CbmError, OSError) as error:
                log.warning("feed.lost", reason=str(error), wait_s=wait_s)
            finally:
                if session is not None:
                    await session.close()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _REOPEN_MAX_S)

    async def _open(self, session: Session) -> None:
        channel = await session.channel()
        for agency in self._feeds:
            # One that is missing would end the connection again.
            await channel.declare_exchange(feed_exchange(agency), "topic")
        await channel.close()
        for feed in self._feeds.values():
            feed.renew(await session.publisher())
