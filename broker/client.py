"""The client library: what an agency's programmer uses to publish, subscribe and replay.

Owns reconnecting without losing or silently repeating, and the matching of receipts. Speaks only the
public wire contract; imports nothing of the service. Never decides who may see what.
"""

import asyncio
import contextlib
import os
import random
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from broker.amqp import Consumer, Delivery, Publisher, Session, properties, stream_offset
from broker.keys import Keyring, SigningKey
from broker.names import feed_exchange, in_exchange, inbox_queue, key_matcher, log_stream, own_queue
from broker.signatures import Verified, sign_message, verify
from schemas.envelope import CONTENT_TYPE, MAX_BYTES, Message, ReceiptMessage, build, family_of
from schemas.errors import (
    CbmError,
    ChannelClosed,
    ConfigError,
    ConnectionLost,
    Fault,
    InvalidMessage,
    NotAuthorised,
    NotFound,
    TimedOut,
    Unreachable,
)
from schemas.receipt import Receipt
from schemas.view import View, read

# How many deliveries are on their way to this client at once; acknowledging lets further ones come.
PREFETCH = 200
# No confirm for so long: a RabbitMQ that was just started may never send one, and publishing again costs little.
CONFIRM_TIMEOUT_S = 10.0
# By this AMQP reply code RabbitMQ closes a channel on which more came than it takes (PRECONDITION_FAILED).
_TOO_LARGE = 406
RECEIPT_TIMEOUT_S = 30.0
# A RabbitMQ that starts up may refuse for a moment a user it knew before.
_REFUSED_FOR_S = 30.0
# Receipts of more publishes than this are not matched any more; the oldest are given up, never the messages.
MAX_AWAITED = 100_000
_WAIT_MIN_S, _WAIT_MAX_S = 0.1, 5.0
# An unnamed queue of our own goes away by itself when nobody came back to it for so long.
_EXPIRES_MS = 600_000


class Link:
    """One AMQP connection that is opened again whenever it is needed and gone."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def session(self, *, patient: bool = True) -> Session:
        """Return the live session, opening it where needed; `patient` waits for a RabbitMQ that is away.

        Raises:
            NotAuthorised: user, password or virtual host are refused, and not only for a moment.
            Unreachable: not patient, and nobody answers.
            ConnectionLost: the client was closed.
        """
        async with self._opening:
            wait_s, began = _WAIT_MIN_S, asyncio.get_running_loop().time()
            while True:
                if self._closed:
                    raise ConnectionLost("the client is closed")
                if self._session is not None and self._session.is_open:
                    return self._session
                try:
                    self._session = await Session.open(self._url, name=self._name)
                except (Unreachable, NotAuthorised) as error:
                    waited_s = asyncio.get_running_loop().time() - began
                    if not patient or (isinstance(error, NotAuthorised) and waited_s > _REFUSED_FOR_S):
                        raise
                    await asyncio.sleep(random.uniform(wait_s / 2, wait_s))
                    wait_s = min(wait_s * 2, _WAIT_MAX_S)

    async def close(self) -> None:
        """Close for good."""
        self._closed = True
        if self._session is not None:
            await self._session.close()


class Received:
    """One message as this agency may see it. `async with` it: acknowledged on success, given back on an exception."""

    def __init__(self, delivery: Delivery, consumer: Consumer | None) -> None:
        self._delivery, self._consumer = delivery, consumer
        self.body = delivery.body
        self.key = delivery.key
        self.redelivered = delivery.redelivered
        self.offset = delivery.stream_offset

    @cached_property
    def message(self) -> Message | View:
        """The parsed message; a `View` where so much is withheld that a required field is missing.

        Raises:
            InvalidMessage: of a later version than this library, say; the bytes are in `body`.
        """
        return read(self.body)

    def verify(self, keys: Keyring) -> Verified:
        """Verify the signature against its sender's public keys, as they were when the broker took the message in.

        What of a view is signed is in `Verified.event`; what is the broker's own is named in `Verified.unsigned`.

        Raises:
            InvalidMessage: not signed, not by these keys, or something in it was not signed.
        """
        return verify(self.body, keys, at=self.received)

    @property
    def received(self) -> datetime | None:
        """When the broker took it in."""
        text = self._delivery.headers.get("ce-receivedtime")
        return datetime.fromisoformat(text) if isinstance(text, str) else None

    def ack(self) -> None:
        """Acknowledge: RabbitMQ will not deliver it again. Replayed messages need none."""
        if self._consumer is not None:
            self._consumer.ack(self._delivery.tag)

    def give_back(self) -> None:
        """Return it to its queue, to be delivered again."""
        if self._consumer is not None:
            self._consumer.requeue(self._delivery.tag)

    async def __aenter__(self) -> Message | View:
        return self.message

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.ack()
        else:
            self.give_back()


@dataclass(frozen=True, slots=True)
class Published:
    """A message that RabbitMQ confirmed: it will not be lost. What became of it, the receipt says."""

    message_id: str
    _receipt: "asyncio.Future[ReceiptMessage]"

    async def receipt(self, timeout_s: float = RECEIPT_TIMEOUT_S) -> Receipt:
        """Wait for the broker's receipt.

        Raises:
            TimedOut: none came in time; the broker may be away. It will come to `inbox.<agency>.receipt`.
        """
        try:
            return (await asyncio.wait_for(asyncio.shield(self._receipt), timeout_s)).data
        except TimeoutError:
            raise TimedOut(f"no receipt of {self.message_id} within {timeout_s} s") from None


class Client:
    """An agency's connection to cbm. Made by `connect`."""

    def __init__(
        self, url: str, agency: str, signing_key: SigningKey | None = None, *, sign_by_field: bool = False
    ) -> None:
        self.agency = agency
        self._signing_key, self._by_field = signing_key, sign_by_field
        # Two connections, so that a RabbitMQ that holds publishers up still delivers.
        self._publishing = Link(url, f"cbm client {agency} publish")
        self._receiving = Link(url, f"cbm client {agency} receive")
        self._publisher: Publisher | None = None
        self._publisher_lock = asyncio.Lock()
        self._receipts: dict[str, asyncio.Future[ReceiptMessage]] = {}
        self._receipt_queue = own_queue(agency, f"receipts-{uuid.uuid4()}")
        self._receipt_task: asyncio.Task[None] | None = None
        self._receipts_bound = asyncio.Event()

    def compose(self, type_: str, subject: str, data: Mapping[str, Any] | BaseModel, **attributes: Any) -> Message:
        """Make a message of this agency, with a new id, a new trace and the present time unless given.

        Raises:
            InvalidMessage: with every fault.
        """
        if isinstance(data, BaseModel):
            data = data.model_dump(exclude_none=True)
        family = family_of(type_)
        return build(
            **{
                "specversion": "1.0",
                "id": str(uuid.uuid4()),
                "source": self.agency,
                "type": type_,
                "subject": subject,
                "time": datetime.now(UTC),
                "datacontenttype": "application/json",
                "dataschema": f"urn:cbm:{family}:1",
                "data": data,
                "traceparent": new_traceparent(),
            }
            | attributes
        )

    async def publish(self, message: Message) -> Published:
        """Publish a message; returns when RabbitMQ confirmed that it is stored.

        A connection lost in between is opened again and the message published again under the same id; the
        broker tells a repeat from a new message, so nothing is lost and nobody receives it twice. With a signing
        key it is signed first, unless it is already: the same message always in the same way.

        Raises:
            PublishNacked: this agency's ingress queue is full; try later.
            PublishReturned: there is no lane for this type.
            InvalidMessage: so large that RabbitMQ does not take it, or it cannot be signed.
            NotAuthorised: the user may not publish here.
            ConnectionLost: the client was closed.
        """
        if self._signing_key is not None:
            message = sign_message(message, self._signing_key, by_field=self._by_field)
        return await self.publish_bytes(message.to_bytes(), message.id, message.type)

    async def publish_bytes(self, body: bytes, message_id: str, type_: str) -> Published:
        """Publish bytes as they are, not signed here; otherwise as `publish`."""
        await self._watch_receipts()
        receipt = self._receipts.get(message_id)
        if receipt is None or receipt.done():
            receipt = asyncio.get_running_loop().create_future()
            self._receipts[message_id] = receipt
            if len(self._receipts) > MAX_AWAITED:
                self._receipts.pop(next(iter(self._receipts)))
        props = properties(
            content_type=CONTENT_TYPE, message_id=message_id, type_=type_, app_id=self.agency, user_id=self.agency
        )
        try:
            await self._publish_through(family_of(type_), body, props)
        except BaseException:
            self._receipts.pop(message_id, None)
            raise
        return Published(message_id, receipt)

    async def _publish_through(self, lane: str, body: bytes, props: Any) -> None:
        while True:
            publisher = await self._open_publisher()
            try:
                await publisher.publish_confirmed(in_exchange(self.agency), lane, body, props, CONFIRM_TIMEOUT_S)
            except TimedOut:
                publisher.session.abort("a publish was not confirmed in time")
            except (ConnectionLost, ChannelClosed) as error:
                # It ends the channel for whatever else was under way there; only the one at fault hears of it.
                if isinstance(error, ChannelClosed) and error.code == _TOO_LARGE and len(body) > MAX_BYTES:
                    text = f"{len(body)} bytes; a message has at most {MAX_BYTES}"
                    raise InvalidMessage([Fault("too-large", "", text)]) from None
                await asyncio.sleep(random.uniform(0, _WAIT_MIN_S))
            else:
                return

    async def _open_publisher(self) -> Publisher:
        async with self._publisher_lock:
            while self._publisher is None or not self._publisher.is_open:
                session = await self._publishing.session()
                with contextlib.suppress(ConnectionLost, TimedOut):
                    self._publisher = await session.publisher()
            return self._publisher

    async def _watch_receipts(self) -> None:
        if self._receipt_task is None:
            self._receipt_task = asyncio.create_task(self._collect_receipts(), name="receipts")
        bound = asyncio.create_task(self._receipts_bound.wait())
        try:
            await asyncio.wait([bound, self._receipt_task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            bound.cancel()
        if self._receipt_task.done():
            if self._receipt_task.cancelled():
                # Passed on, it would look as if the caller were cancelled.
                raise ConnectionLost("the client is closed")
            self._receipt_task.result()

    async def _collect_receipts(self) -> None:
        arguments = {"x-expires": _EXPIRES_MS}
        async for received in self._consume(self._receipt_queue, arguments, "receipt.#", self._receipts_bound):
            received.ack()
            with contextlib.suppress(InvalidMessage):
                message = received.message
                if isinstance(message, ReceiptMessage):
                    waiting = self._receipts.pop(message.data.of.id, None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message)

    def inbox(self, kind: str) -> AsyncIterator[Received]:
        """Iterate over a standing inbox: `alert`, `shipment` or `receipt`. Each message until acknowledged."""
        return self._consume(inbox_queue(self.agency, kind))

    def subscribe(
        self, pattern: str = "#", *, name: str | None = None, ready: asyncio.Event | None = None
    ) -> AsyncIterator[Received]:
        """Iterate over what this agency receives under a topic pattern, e.g. `shipment.held.KR.*`.

        With a `name` the queue stays and collects while nobody listens, and several processes may share it;
        without, it goes away ten minutes after the last of it was heard. `ready` is set once the queue is
        bound: what is decided after that is not missed.
        """
        if name is None:
            return self._consume(own_queue(self.agency, str(uuid.uuid4())), {"x-expires": _EXPIRES_MS}, pattern, ready)
        return self._consume(own_queue(self.agency, name), {"x-queue-type": "quorum"}, pattern, ready)

    async def _consume(
        self,
        queue: str,
        arguments: dict[str, Any] | None = None,
        pattern: str | None = None,
        bound: asyncio.Event | None = None,
    ) -> AsyncIterator[Received]:
        """Consume a queue for good; declares and binds it first where `pattern` is given."""
        wait_s = _WAIT_MIN_S
        while True:
            session = await self._receiving.session()
            try:
                if pattern is not None:
                    channel = await session.channel()
                    await channel.declare_queue(queue, arguments)
                    await channel.bind_queue(queue, feed_exchange(self.agency), pattern)
                    await channel.close()
                consumer = await session.consumer(queue, prefetch=PREFETCH)
                if bound is not None:
                    bound.set()
                wait_s = _WAIT_MIN_S
                async for received in _deliveries(consumer):
                    yield received
            except (ConnectionLost, ChannelClosed, NotFound, TimedOut):
                await asyncio.sleep(random.uniform(wait_s / 2, wait_s))
                wait_s = min(wait_s * 2, _WAIT_MAX_S)

    async def replay(
        self, pattern: str = "#", *, since: datetime | timedelta | None = None, offset: int | None = None
    ) -> AsyncIterator[Received]:
        """Iterate over this agency's log from a moment, an age or an offset, and then live, without a gap.

        Neither given: from the first message the log still holds. `Received.offset` is where to go on later.
        """
        matches = key_matcher(pattern)
        if isinstance(since, timedelta):
            since = datetime.now(UTC) - since
        start: datetime | int | str = offset if offset is not None else (since or "first")
        wait_s = _WAIT_MIN_S
        while True:
            session = await self._receiving.session()
            try:
                consumer = await session.consumer(
                    log_stream(self.agency), prefetch=PREFETCH, arguments=stream_offset(start)
                )
                wait_s = _WAIT_MIN_S
                async for received in _deliveries(consumer):
                    received.ack()
                    if received.offset is not None:
                        start = received.offset + 1
                    # RabbitMQ starts at the chunk that holds the moment, which may begin earlier.
                    early = since is not None and received.received is not None and received.received < since
                    if not early and matches(received.key):
                        yield received
            except (ConnectionLost, ChannelClosed, NotFound, TimedOut):
                await asyncio.sleep(random.uniform(wait_s / 2, wait_s))
                wait_s = min(wait_s * 2, _WAIT_MAX_S)

    async def close(self) -> None:
        """Close the connections. What was not acknowledged will be delivered again."""
        if self._receipt_task is not None:
            self._receipt_task.cancel()
            with contextlib.suppress(asyncio.CancelledError, CbmError):
                await self._receipt_task
            with contextlib.suppress(CbmError):
                session = await self._receiving.session(patient=False)
                await (await session.channel()).delete_queue(self._receipt_queue)
        await self._publishing.close()
        await self._receiving.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def new_traceparent() -> str:
    """Return a new W3C trace context, sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


async def _deliveries(consumer: Consumer) -> AsyncIterator[Received]:
    try:
        while True:
            for delivery in await consumer.batch(PREFETCH):
                yield Received(delivery, consumer)
    finally:
        await consumer.close()


class _Connecting:
    """Lets one write both `client = await connect(…)` and `async with connect(…) as client`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def _open(self) -> Client:
        try:
            await self._client._publishing.session(patient=False)
            await self._client._receiving.session(patient=False)
        except BaseException:
            await self._client.close()
            raise
        return self._client

    def __await__(self) -> Any:
        return self._open().__await__()

    async def __aenter__(self) -> Client:
        return await self._open()

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


def connect(
    url: str | None = None, *, signing_key: SigningKey | None = None, sign_by_field: bool = False
) -> _Connecting:
    """Connect as an agency. The URL is what `cbm credentials AGENCY` prints; without one, CBM_URL is read.

    With a `signing_key` every published message is signed; `sign_by_field` so that recipients from whom an
    agreement withholds parts can verify the rest.

    Raises (when awaited or entered):
        ConfigError: no URL, or one without a user.
        Unreachable, NotAuthorised: as it says.
    """
    url = url or os.environ.get("CBM_URL", "")
    try:
        agency = unquote(urlsplit(url).username or "")
    except ValueError:
        agency = ""
    if not agency:
        raise ConfigError([Fault("no-url", "CBM_URL", "set it to the AMQP URL that `cbm credentials AGENCY` prints")])
    return _Connecting(Client(url, agency, signing_key, sign_by_field=sign_by_field))
