"""What agencies bound for themselves: each feed gets a copy of what its agency's standing queues get.

Owns the publishes to `feed.<agency>`, on a connection and with a channel and a task for each agency. Never
says whether a message is delivered: that is for inboxes and logs, which are reached without any of this.

An agency makes and binds queues and exchanges of its own as it likes: one that refuses what it is sent, a
thousand that all get it, a binding over which RabbitMQ thinks for minutes. RabbitMQ does such work within the
channel that publishes, and refuses the publish where one queue of many refuses it. So whoever publishes to
an agency's own queues must be prepared to be stopped by them, and nobody else may wait for it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.amqp import Confirmations, Properties, Publisher, Session
from broker.logs import log
from broker.names import feed_exchange
from schemas.errors import PublishNacked

# So many copies are under way to one feed. RabbitMQ reads no more of a connection when more than 400 wait for
# one of its channels, and all feeds share the connection.
WINDOW_COPIES = 256
WINDOW_BYTES = 4 * 1024 * 1024
# How long a batch waits for copies, and for how long nobody waits for an agency's that took longer.
PATIENCE_S = 1.0
LATE_S = 60.0
# How often it is said of an agency that its own queues miss something.
REPORT_S = 60.0


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


@dataclass(frozen=True, slots=True)
class _Copy:
    key: str
    body: bytes
    properties: Properties
    awaited: Awaited


class Feed:
    """The way to one agency's own queues."""

    def __init__(self, agency: str, publisher: Publisher, clock: Callable[[], float] = time.monotonic) -> None:
        self._agency = agency
        self._publisher = publisher
        self._clock = clock
        self._waiting: deque[_Copy] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._busy_since: float | None = None
        self._late_until = clock()
        self._missed = 0
        self._report_at = clock()

    @property
    def is_late(self) -> bool:
        """Whether its queues lately took longer than others shall wait for."""
        now = self._clock()
        return now < self._late_until or (self._busy_since is not None and now - self._busy_since > PATIENCE_S)

    def be_late(self) -> None:
        """Somebody waited in vain."""
        if not self.is_late:
            log.warning("feed.slow", agency=self._agency, count=len(self._waiting), wait_s=LATE_S)
        self._late_until = self._clock() + LATE_S

    def offer(self, copy: _Copy) -> None:
        """Take a copy in, to be published as soon as those before it are; one too many of a late feed is missed."""
        if self.is_late:
            if len(self._waiting) >= WINDOW_COPIES or self._waiting_bytes >= WINDOW_BYTES:
                self._miss(1)
                return
        else:
            copy.awaited.expect(self)
        self._waiting.append(copy)
        self._waiting_bytes += len(copy.body)
        self._arrived.set()

    async def run(self) -> None:
        """Publish what is offered, in order, until the channel ends or it is cancelled."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            self._busy_since = self._clock()
            await self._publisher.ready()
            taken, group = self._take(), Confirmations()
            for index, one in enumerate(taken):
                # Not mandatory: most agencies have nothing bound, and all would come back.
                name = feed_exchange(self._agency)
                self._publisher.publish(name, one.key, one.body, one.properties, group, index, mandatory=False)
            failures = await group.wait(None)
            self._busy_since = None
            for error in failures.values():
                if not isinstance(error, PublishNacked):
                    raise error
            self._miss(len(failures))
            for one in taken:
                one.awaited.settle(self)

    def _take(self) -> list[_Copy]:
        taken: list[_Copy] = []
        size = 0
        while self._waiting and len(taken) < WINDOW_COPIES and size < WINDOW_BYTES:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].body)
        self._waiting_bytes -= size
        return taken

    def _miss(self, count: int) -> None:
        """Some of its queues do not get something, which its inboxes and log have; said at most once a minute."""
        self._missed += count
        now = self._clock()
        if self._missed and now >= self._report_at:
            log.warning("feed.missed", agency=self._agency, count=self._missed)
            self._missed, self._report_at = 0, now + REPORT_S


class Feeds:
    """All agencies' feeds over one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._feeds: dict[str, Feed] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, session: Session, agencies: Sequence[str]) -> "Feeds":
        """Open a channel for each agency's feed.

        Raises:
            ConnectionLost, TimedOut: RabbitMQ opened none.
        """
        feeds = cls(session)
        for agency in agencies:
            feed = feeds._feeds[agency] = Feed(agency, await session.publisher())
            task = asyncio.create_task(feed.run(), name=f"feed {agency}")
            task.add_done_callback(feeds._ended)
            feeds._tasks.append(task)
        return feeds

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._session.abort(str(error))

    def offer(self, agencies: Sequence[str], key: str, body: bytes, properties: Properties, awaited: Awaited) -> None:
        """Give agencies' own queues a copy, without waiting; `awaited` is then waited for."""
        if agencies:
            copy = _Copy(key, body, properties, awaited)
            for agency in agencies:
                # One that only just entered the configuration has bound nothing yet.
                if (feed := self._feeds.get(agency)) is not None:
                    feed.offer(copy)

    async def close(self) -> None:
        """Publish no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
