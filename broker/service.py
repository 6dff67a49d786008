"""The broker: consume a batch, decide, publish the views, await confirms, record, send receipts, ack.

The only place that settles the deliveries of ingress queues, and it does so last. Owns the order of
effects, holding and backing off, draining. Never decides: that is `decision`, and pure.
"""

import asyncio
import contextlib
import copy
import functools
import gc
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from broker.agreements import Agreements
from broker.allowance import Allowance
from broker.amqp import Confirmations, Consumer, Delivery, Properties, Publisher, Session, properties
from broker.credentials import Credentials
from broker.decision import (
    RECEIPT_SOURCE,
    Arrival,
    Decision,
    Earlier,
    Examined,
    View,
    decide,
    examine,
    feed_key,
    receipt_of,
)
from broker.feeds import Awaited, Feeds
from broker.ledger import Ledger, row_of
from broker.logs import log, together
from broker.names import DELIVER, LANES, QUARANTINE, RESENT_HEADER, ingress_queue
from broker.provision import Place, provision, trim_own
from broker.settings import Settings
from broker.topology import Addresses
from schemas import Message
from schemas.base import rfc3339
from schemas.envelope import CONTENT_TYPE
from schemas.errors import (
    CbmError,
    ConnectionLost,
    Fault,
    LedgerUnavailable,
    NotAuthorised,
    NotFound,
    PublishNacked,
    PublishReturned,
    TransportError,
)

# Header values share one AMQP frame; faults beyond this are in the receipt and the ledger.
_FAULTS_HEADER_CHARACTERS = 8000
# New objects between two looks for cycles. A message makes dozens and no cycle; with Python's own 700 the
# looking was measured to take a tenth of all the time.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
_SHARES_S = 30.0
# How often it is said, and looked at anew, that an agency has used its share of the quarantine up.
_ALLOWANCE_LOOK_S = 60.0


@dataclass(frozen=True, slots=True)
class Publication:
    """One publish of a batch."""

    exchange: str
    key: str
    body: bytes
    properties: Properties
    recipients: tuple[str, ...] = ()
    """Whose feeds get a copy, for their own queues."""
    copied: Properties | None = None
    """The copies' properties."""


@dataclass(slots=True)
class Batch:
    """Deliveries of one lane that are decided, published and recorded together."""

    deliveries: list[Delivery]
    started: float
    agreements: str = ""
    """The version of the agreements that decided it."""
    decisions: list[Decision] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    confirmations: Confirmations = field(default_factory=Confirmations)
    copies: Awaited = field(default_factory=Awaited)


def tune_collector() -> None:
    """Look for cycles less often, and never again in what was loaded at start. For a process that only serves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)


class Broker:
    """The service over one RabbitMQ and one ledger."""

    def __init__(self, settings: Settings, ledger: Ledger, place: Place) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._ledger = ledger
        self._place = place
        self._addresses: Addresses = place.addresses
        credentials = Credentials(settings.state_dir)
        self._token_secret = credentials.get_or_make("token-secret").encode()
        self._agreements = Agreements.of(settings, self._token_secret)
        self._renewing = asyncio.Event()
        self._stopping = asyncio.Event()
        self.serving = asyncio.Event()
        """Set while every ingress queue is consumed."""
        self._connected = False
        self._served_since: float | None = None
        self._allowances: dict[str, Allowance] = {}
        # Accepted, but not yet recorded: known to nobody else.
        self._under_way: dict[tuple[str, str], Earlier] = {}

    @property
    def agreements_version(self) -> str:
        """The version of the agreements that decide now."""
        return self._agreements.version

    def allowance(self, agency: str) -> Allowance:
        """Return what an agency may still have quarantined; both of its lanes share it."""
        found = self._allowances.get(agency)
        if found is None:
            limits = self._limits
            found = Allowance(limits.quarantine_hourly_messages, limits.quarantine_hourly_bytes)
            self._allowances[agency] = found
        return found

    def stop(self) -> None:
        """Ask for an orderly end; `run` returns when what is under way is finished or `drain_s` is over."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`; reconnect with growing, jittered waits as long as RabbitMQ is away.

        Raises:
            NotAuthorised: RabbitMQ refuses the broker from the start; no waiting mends that. A RabbitMQ that
                refuses later may be starting up, and is waited for.
        """
        wait_s = self._limits.retry_min_s
        while not self._stopping.is_set():
            self._renewing.clear()
            self._served_since = None
            try:
                await self._serve()
            except (CbmError, OSError) as error:
                if isinstance(error, NotAuthorised) and not self._connected:
                    raise
                if self._stopping.is_set():
                    break
                # A link that served for longer than it was waited for was worth it: RabbitMQ was only restarted.
                if self._served_since is not None and time.monotonic() - self._served_since > wait_s:
                    wait_s = self._limits.retry_min_s
                pause = random.uniform(wait_s / 2, wait_s)
                log.warning("amqp.lost", reason=str(error), wait_s=round(pause, 3))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._stopping.wait()
                wait_s = min(wait_s * 2, self._limits.retry_max_s)
            finally:
                self.serving.clear()
        log.info("broker.stopped")

    async def _serve(self) -> None:
        """Serve over one pair of connections until one of them is lost or a stop is asked for."""
        name, heartbeat_s = f"cbm broker {self._settings.node.name}", self._settings.rabbitmq.heartbeat_s
        # Two connections: RabbitMQ's flow control and alarms stop those that publish, not those that consume. A
        # third is the feeds': agencies' own queues may stop it, and it is nobody's loss but theirs.
        incoming = await Session.open(self._place.url, name=f"{name} in", heartbeat_s=heartbeat_s)
        outgoing: Session | None = None
        lanes: list[Lane] = []
        try:
            outgoing = await Session.open(self._place.url, name=f"{name} out", heartbeat_s=heartbeat_s)
            await provision(self._settings, self._place, incoming)
            self._connected = True
            log.info("amqp.connected", where=incoming.where, rabbitmq=incoming.server_version)
            connect = functools.partial(Session.open, self._place.url, name=f"{name} feeds", heartbeat_s=heartbeat_s)
            feeds, copying = Feeds([agency.id for agency in self._settings.agency], connect), asyncio.Event()
            for agency in self._settings.agency:
                for lane in LANES:
                    publisher = await outgoing.publisher()
                    lanes.append(Lane(self, agency.id, lane, incoming, publisher, feeds))
            tasks = [asyncio.create_task(lane.run(), name=f"lane {lane.queue}") for lane in lanes]
            ready = asyncio.create_task(self._announce(lanes, copying))
            copier = asyncio.create_task(feeds.run(copying), name="feeds")
            steward = asyncio.create_task(self._keep_shares(), name="shares")
            try:
                await self._until_end((incoming, outgoing), [*tasks, copier, steward])
            finally:
                ready.cancel()
                await self._drain(lanes, tasks)
                copier.cancel()
                steward.cancel()
                await asyncio.gather(copier, steward, return_exceptions=True)
        finally:
            for session in (incoming, outgoing):
                if session is not None:
                    await session.close()
            # Whatever was not recorded comes again, and is then decided anew.
            self._under_way.clear()

    async def _keep_shares(self) -> None:
        """Look now and then whether agencies keep to their share of queues, where the management API may be used."""
        while True:
            await asyncio.sleep(_SHARES_S)
            if self._place.management is not None:
                with contextlib.suppress(TransportError, NotAuthorised, NotFound):
                    await trim_own(self._settings, self._place.management)

    async def _announce(self, lanes: "list[Lane]", copying: asyncio.Event) -> None:
        await asyncio.gather(copying.wait(), *(lane.consuming.wait() for lane in lanes))
        self.serving.set()
        self._served_since = time.monotonic()
        log.info("broker.started", agencies=len(self._settings.agency), agreements=self._agreements.version)

    async def _until_end(self, sessions: tuple[Session, ...], tasks: "list[asyncio.Task[None]]") -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        renewing = asyncio.create_task(self._renewing.wait())
        try:
            ends: list[asyncio.Future[Any]] = [stopping, renewing, *(one.lost for one in sessions), *tasks]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            renewing.cancel()
        for session in sessions:
            if session.lost.done():
                raise session.lost.result()
        for task in tasks:
            if task.done():
                task.result()

    async def _drain(self, lanes: "list[Lane]", tasks: "list[asyncio.Task[None]]") -> None:
        if self._stopping.is_set():
            log.info("broker.draining", under_way=sum(lane.under_way for lane in lanes))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        limit_s = self._limits.drain_s if self._stopping.is_set() else self._limits.confirm_timeout_s
        await asyncio.gather(*(lane.finish(limit_s) for lane in lanes))

    def apply(self, settings: Settings) -> None:
        """Go on with another configuration, whole: what is being decided keeps the version that decides it.

        Agreements are changed at once. Where agencies come or go, the connections are opened anew, for
        RabbitMQ has to be brought to it first. What a running process cannot change (where RabbitMQ and the
        ledger are) stays as it was.
        """
        old = self._settings
        keep = {"node": old.node, "rabbitmq": old.rabbitmq, "ledger": old.ledger}
        self._settings = settings.model_copy(update=keep)
        self._limits = settings.limits
        self._agreements = Agreements.of(settings, self._token_secret)
        log.info("agreements.applied", agreements=self._agreements.version, count=len(settings.agreement))
        self._allowances.clear()
        if (old.agency, old.limits) != (settings.agency, settings.limits):
            self._renewing.set()

    async def decide(self, arrivals: list[Arrival], now: datetime) -> tuple[list[Decision], str]:
        """Decide over arrivals in order, all by one version of the agreements, which is returned too.

        A bug at one arrival is that one's end, not the lane's.
        """
        agreements = self._agreements
        examined: list[Examined] = []
        for arrival in arrivals:
            try:
                examined.append(examine(arrival, agreements, self._limits, now))
            except Exception:
                examined.append(_internal_error(arrival))
        # Looked at before and after the ledger: what is recorded while it is asked is in neither alone.
        before = {one.key: self._under_way[one.key] for one in examined if one.key in self._under_way}
        earlier = await self._ledger.earlier(examined)
        decisions: list[Decision] = []
        for one in examined:
            try:
                known = self._under_way.get(one.key) or before.get(one.key) or earlier.get(one.key)
                decision = decide(one, known, agreements, now)
            except Exception:
                decision = Decision(_internal_error(one.arrival), "refused", faults=_INTERNAL)
            if decision.disposition == "accepted" and not decision.repeated:
                self._under_way[one.key] = Earlier(one.digest, "accepted", decision.recipient_count)
            decisions.append(decision)
        return decisions, agreements.version

    def forget(self, decisions: list[Decision]) -> None:
        """The decisions are recorded, or given up: the ledger answers for them from now on."""
        for decision in decisions:
            if decision.disposition == "accepted" and not decision.repeated:
                self._under_way.pop(decision.examined.key, None)

    def publications(self, decision: Decision) -> list[Publication]:
        """Return what a decision publishes before it is recorded: views, the journal's copy, quarantine."""
        arrival = decision.examined.arrival
        if decision.quarantined:
            return [Publication("", QUARANTINE, arrival.body, _quarantine_properties(decision))]
        message = decision.examined.message
        if decision.repeated or not decision.views or message is None:
            return []
        headers = {"ce-tlp": str(message.marking), "ce-receivedtime": _written(arrival.received)}
        journal = [self._addresses.journal]
        result: list[Publication] = []
        for view in decision.views:
            copies = [self._addresses.of(agency) for agency in view.recipients]
            # The journal keeps what came in; where a view is just that, its copy rides along.
            if view.body is arrival.body:
                copies, journal = copies + journal, []
            result.append(_view_publication(message, view, headers, copies))
        if journal:
            again = (message.correlationid, message.traceparent)
            whole = View((), arrival.body, feed_key(message), message.id, *again)
            result.append(_view_publication(message, whole, headers, journal))
        return result

    def receipt(self, decision: Decision, now: datetime) -> Publication:
        """Return the receipt of a decision, for its sender's feed alone."""
        note = receipt_of(decision, self._settings.node.name, now)
        sender = decision.examined.arrival.agency
        headers: dict[str, Any] = {"ce-receivedtime": _written(decision.examined.arrival.received)}
        if note.traceparent is not None:
            headers["traceparent"] = note.traceparent
        props = properties(
            content_type=CONTENT_TYPE,
            headers=headers,
            message_id=note.id,
            type_=note.type,
            app_id=f"{RECEIPT_SOURCE}{self._settings.node.name}",
            correlation_id=decision.examined.id,
        )
        blind = _with_blind(props, [self._addresses.of(sender)])
        return Publication(DELIVER, note.type, note.body, blind, (sender,), props)

    async def record(self, batch: Batch, now: datetime) -> None:
        """Write a batch's decisions to the ledger, holding on while it is away."""
        rows = [row_of(decision, batch.agreements, now) for decision in batch.decisions if not decision.repeated]
        await self._held(lambda: self._ledger.record(rows))

    async def decide_held(self, batch: Batch, arrivals: list[Arrival]) -> None:
        """Decide a batch, holding on while the ledger is away."""

        async def once() -> None:
            batch.decisions, batch.agreements = await self.decide(arrivals, datetime.now(UTC))

        await self._held(once)

    async def _held(self, step: Callable[[], Awaitable[None]]) -> None:
        wait_s = self._limits.retry_min_s
        while True:
            try:
                await step()
            except LedgerUnavailable as error:
                pause = random.uniform(wait_s / 2, wait_s)
                log.error("ledger.unavailable", reason=str(error), wait_s=round(pause, 3))
                await asyncio.sleep(pause)
                wait_s = min(wait_s * 2, self._limits.retry_max_s)
            else:
                return


class Lane:
    """One ingress queue: one agency's messages of one kind, in order, harming no other lane."""

    def __init__(
        self, broker: Broker, agency: str, lane: str, incoming: Session, publisher: Publisher, feeds: Feeds
    ) -> None:
        self.queue = ingress_queue(agency, lane)
        self.consuming = asyncio.Event()
        self._broker = broker
        self._agency, self._lane = agency, lane
        self._incoming = incoming
        self._publisher = publisher
        self._feeds = feeds
        self._limits = broker._limits
        self._slots = asyncio.Semaphore(self._limits.batches_in_flight)
        self._last: asyncio.Task[None] | None = None
        self._finishing: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> int:
        """How many batches are not settled yet."""
        return len(self._finishing)

    async def run(self) -> None:
        """Consume until cancelled; a consumer that RabbitMQ cancels is opened again."""
        wait_s = self._limits.retry_min_s
        while True:
            consumer: Consumer | None = None
            try:
                consumer = await self._incoming.consumer(self.queue, prefetch=self._limits.prefetch_messages)
                self.consuming.set()
                wait_s = self._limits.retry_min_s
                await self._consume(consumer)
            except NotFound as error:
                # The queue was deleted or moved: only this lane waits, and asks for it again.
                self.consuming.clear()
                log.warning("consumer.cancelled", queue=self.queue, reason=str(error), wait_s=wait_s)
                if consumer is not None:
                    # Its channel outlives it, with what was not settled; RabbitMQ gives that to the next one.
                    await self.finish(self._limits.confirm_timeout_s)
                    await consumer.close()
                await asyncio.sleep(random.uniform(wait_s / 2, wait_s))
                wait_s = min(wait_s * 2, self._limits.retry_max_s)
                await provision(self._broker._settings, self._broker._place, self._incoming)

    async def _consume(self, consumer: Consumer) -> None:
        while True:
            await self._slots.acquire()
            taken = False
            try:
                deliveries = await consumer.batch(self._limits.batch_messages)
                batch = Batch(deliveries, time.monotonic())
                await self._publisher.ready()
                received = datetime.now(UTC)
                arrivals = [self._arrival(delivery, received) for delivery in deliveries]
                await self._broker.decide_held(batch, arrivals)
                await self._within_allowance(batch)
                self._publish(batch)
                task = asyncio.create_task(self._finish(batch, consumer, self._last), name=f"batch {self.queue}")
                self._last = task
                self._finishing.add(task)
                task.add_done_callback(self._finished)
                taken = True
            finally:
                if not taken:
                    self._slots.release()

    async def _within_allowance(self, batch: Batch) -> None:
        """Count what is refused; an agency that sends little else waits here, and nobody with it."""
        sizes = [len(one.examined.arrival.body) for one in batch.decisions if one.quarantined]
        if not sizes:
            return
        allowance = self._broker.allowance(self._agency)
        while (wait_s := allowance.wait_s()) > 0:
            wait_s = min(wait_s, _ALLOWANCE_LOOK_S)
            log.error("lane.throttled", queue=self.queue, agency=self._agency, wait_s=round(wait_s, 1))
            await asyncio.sleep(wait_s)
        allowance.use(len(sizes), sum(sizes))

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._finishing.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, TransportError | NotAuthorised | NotFound):
                log.error("process.crashed", queue=self.queue, exc_info=error)
            # Nothing of the batch was acknowledged; with the connection gone RabbitMQ delivers it again.
            self._incoming.abort(str(error))

    def _arrival(self, delivery: Delivery, received: datetime) -> Arrival:
        return Arrival(
            body=delivery.body,
            agency=self._agency,
            lane=self._lane,
            received=received,
            redelivered=delivery.redelivered,
            message_id=delivery.message_id,
            type=delivery.type,
            app_id=delivery.app_id,
            user_id=delivery.user_id,
            content_type=delivery.content_type,
            content_encoding=delivery.content_encoding,
            resent=RESENT_HEADER in delivery.headers,
        )

    def _publish(self, batch: Batch) -> None:
        for decision in batch.decisions:
            batch.publications.extend(self._broker.publications(decision))
        self._send(batch.publications, batch.confirmations, batch.copies)

    def _send(self, publications: list[Publication], group: Confirmations, copies: Awaited) -> None:
        for index, one in enumerate(publications):
            self._publisher.publish(one.exchange, one.key, one.body, one.properties, group, index)
            if one.copied is not None:
                self._feeds.offer(one.recipients, one.key, one.body, one.copied, copies)

    async def _finish(self, batch: Batch, consumer: Consumer, previous: "asyncio.Task[None] | None") -> None:
        """Await confirms, record, send receipts, ack: in this order, and after the batch before."""
        try:
            await self._confirmed(batch.publications, batch.confirmations, batch.agreements)
            await batch.copies.wait()
            now = datetime.now(UTC)
            await self._broker.record(batch, now)
        finally:
            self._broker.forget(batch.decisions)
        await self._publisher.ready()
        receipts = [self._broker.receipt(decision, now) for decision in batch.decisions if decision.answered]
        group, copies = Confirmations(), Awaited()
        self._send(receipts, group, copies)
        await self._confirmed(receipts, group)
        await copies.wait()
        if previous is not None and not previous.done():
            await asyncio.wait([previous])
        if previous is not None and (previous.cancelled() or previous.exception() is not None):
            raise ConnectionLost("the batch before could not be settled")
        consumer.ack(batch.deliveries[-1].tag, multiple=True)
        with together():
            _log_settled(batch, now)

    async def _confirmed(
        self, publications: list[Publication], group: Confirmations, agreements: str | None = None
    ) -> None:
        """Await the confirms; publish again, after a wait, what a full or missing queue refused.

        `agreements` is the version by which the publications are views; they are not published again under another.

        Raises:
            TransportError: the channel or connection ended, outcomes are unknown; or the batch is to be decided anew.
        """
        wait_s = self._limits.retry_min_s
        while True:
            failures = await self._publisher.settled(group, self._limits.confirm_timeout_s)
            if not failures:
                return
            for error in failures.values():
                if not isinstance(error, PublishNacked | PublishReturned):
                    raise error
            again = [publications[index] for index in sorted(failures)]
            pause = random.uniform(wait_s / 2, wait_s)
            reasons = sorted({str(error) for error in failures.values()})
            log.error("message.held", queue=self.queue, count=len(again), reasons=reasons[:5], wait_s=round(pause, 3))
            await asyncio.sleep(pause)
            wait_s = min(wait_s * 2, self._limits.retry_max_s)
            if any(isinstance(error, PublishReturned) for error in failures.values()):
                await provision(self._broker._settings, self._broker._place, self._incoming)
            await self._publisher.ready()
            if agreements not in (None, self._broker.agreements_version) and any(o.exchange == DELIVER for o in again):
                raise ConnectionLost("the agreements changed while a message was held; it is decided anew")
            publications, group = again, Confirmations()
            for index, one in enumerate(again):
                self._publisher.publish(one.exchange, one.key, one.body, one.properties, group, index)

    async def finish(self, limit_s: float) -> None:
        """Wait for the batches under way; what is not done in time is left to RabbitMQ to deliver again."""
        if self._finishing:
            _, open_ = await asyncio.wait(self._finishing, timeout=limit_s)
            for task in open_:
                task.cancel()
            if open_:
                await asyncio.wait(open_)


# A batch has one time of arrival.
_written = functools.lru_cache(maxsize=16)(rfc3339)

_INTERNAL = (Fault("internal-error", "", "a fault of cbm's own at this message; its operators see it in the log"),)


def _internal_error(arrival: Arrival) -> Examined:
    """A bug met a message: log it with its traceback, and let the message end in quarantine."""
    log.exception("message.internal_error", agency=arrival.agency, lane=arrival.lane, message_id=arrival.message_id)
    digest = hashlib.sha256(arrival.body).hexdigest()
    return Examined(arrival, digest, arrival.message_id or f"sha256:{digest}", None, None, _INTERNAL, ())


def _view_publication(message: Message, view: View, headers: dict[str, Any], copies: list[str]) -> Publication:
    if view.traceparent is not None:
        headers = headers | {"traceparent": view.traceparent}
    props = properties(
        content_type=CONTENT_TYPE,
        headers=headers,
        message_id=view.id,
        type_=message.type,
        app_id=message.source,
        correlation_id=view.correlation_id,
    )
    return Publication(DELIVER, view.key, view.body, _with_blind(props, copies), view.recipients, props)


def _with_blind(props: Properties, addresses: list[str]) -> Properties:
    """The same with blind copies, which RabbitMQ takes out."""
    blind = copy.copy(props)
    blind.headers = props.headers | {"BCC": addresses}
    return blind


def _quarantine_properties(decision: Decision) -> Properties:
    examined = decision.examined
    arrival = examined.arrival
    faults = json.dumps([fault.as_json() for fault in decision.faults[:20]])
    headers = {
        "x-cbm-agency": arrival.agency,
        "x-cbm-lane": arrival.lane,
        "x-cbm-disposition": decision.disposition,
        "x-cbm-reason": decision.faults[0].code if decision.faults else decision.disposition,
        "x-cbm-faults": faults if len(faults) <= _FAULTS_HEADER_CHARACTERS else "[]",
        "x-cbm-received": rfc3339(arrival.received),
        "x-cbm-digest": examined.digest,
    }
    return properties(
        content_type=CONTENT_TYPE,
        headers=headers,
        # AMQP short strings hold 255 bytes, an id 128 characters of up to four.
        message_id=examined.id if len(examined.id.encode()) <= 255 else f"sha256:{examined.digest}",
        type_=examined.type,
        app_id=arrival.agency,
    )


def _log_settled(batch: Batch, now: datetime) -> None:
    elapsed_ms = round((time.monotonic() - batch.started) * 1000, 2)
    # Bound once: the module's logger is set up anew at each use.
    settled = log.bind()
    for decision in batch.decisions:
        examined = decision.examined
        message = examined.message
        settled.info(
            "message.settled",
            message_id=examined.id,
            agency=examined.arrival.agency,
            lane=examined.arrival.lane,
            type=examined.type,
            subject=message.subject if message is not None else None,
            disposition=decision.disposition,
            recipients=[agency for agency, _ in decision.recipients],
            faults=[fault.code for fault in decision.faults],
            correlation_id=(message.correlationid if message is not None else None) or examined.id,
            traceparent=message.traceparent if message is not None else None,
            size_bytes=len(examined.arrival.body),
            redelivered=examined.arrival.redelivered,
            ms=elapsed_ms,
        )
