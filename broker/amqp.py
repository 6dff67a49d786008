"""The façade over pika: one live connection, confirmed publishes, consumers with batches.

The only module that imports pika. Owns its traps: exceptions in callbacks (which would kill the
connection), confirms counted and matched, returns matched to their publish, broker-sent cancels,
acknowledgements after the channel is gone, frames sent once a loop turn. A `Session` ends once and
never comes back: whoever uses it opens another. Never decides what to publish or when to settle.
"""

import asyncio
import contextlib
import functools
import logging
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.credentials import ExternalCredentials
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ChannelWrongStateError,
    ConnectionClosed,
    ConnectionWrongStateError,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from broker.frames import FRAME_OVERHEAD, publish_frames
from schemas.errors import (
    CbmError,
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

# pika logs each reconnect attempt as errors of several lines; what matters of it is raised as our own.
logging.getLogger("pika").setLevel(logging.CRITICAL)
_log = logging.getLogger("cbm.amqp")

OPEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 5.0
# Confirms and returns are awaited for at most so many publishes at once on one channel.
MAX_UNCONFIRMED = 10_000
# More than this unsent means that RabbitMQ reads slower than we write.
MAX_UNSENT_BYTES = 4 * 1024 * 1024
# Frames are collected up to this within one loop turn, then sent at once.
_FLUSH_BYTES = 256 * 1024
# Read at once. pika's 4 KiB are three messages; with 64 KiB it copies what it has not yet decoded too often.
_READ_BYTES = 16 * 1024
# Query parameters of RabbitMQ's URI scheme that pika does not know.
_TLS_PARAMETERS = frozenset({"cacertfile", "certfile", "keyfile", "verify", "server_name_indication"})

Headers = dict[str, Any]


class Properties(pika.BasicProperties):  # type: ignore[misc]
    """AMQP properties of a publish; made by `properties` alone, so that no other of them is ever set."""


def properties(
    *,
    content_type: str,
    headers: Headers | None = None,
    message_id: str | None = None,
    type_: str | None = None,
    app_id: str | None = None,
    correlation_id: str | None = None,
    user_id: str | None = None,
) -> Properties:
    """Make the properties of a persistent message.

    They only mirror what the message says. One that AMQP cannot hold, 255 bytes being the most, is left
    out: a message's id may have 128 characters of four bytes each.
    """
    return Properties(
        content_type=content_type,
        headers=headers,
        delivery_mode=2,
        message_id=_short(message_id),
        type=_short(type_),
        app_id=_short(app_id),
        correlation_id=_short(correlation_id),
        user_id=_short(user_id),
    )


def _short(value: str | None) -> str | None:
    # A character has at most four bytes.
    return value if value is None or len(value) < 64 or len(value.encode()) <= 255 else None


class _Arriving(pika.BasicProperties):  # type: ignore[misc]
    """Properties as they arrive. What pika cannot decode would end the connection, again and again.

    RabbitMQ lets headers through that pika raises on: a timestamp beyond the year 9999, tables nested
    a thousand deep. One agency could so keep the broker from all others; its headers are dropped instead.
    """

    def decode(self, encoded: bytes, offset: int = 0) -> Any:
        try:
            return super().decode(encoded, offset)
        except Exception as error:
            _log.warning("headers of a delivery cannot be read and are dropped: %s", type(error).__name__)
            return super().decode(_without_headers(encoded[offset:]), 0)


def _without_headers(encoded: bytes) -> bytes:
    """Cut the headers table out of encoded properties: flags, content type and encoding come before it."""
    flags = int.from_bytes(encoded[:2], "big")
    kept = flags & ~int(pika.BasicProperties.FLAG_HEADERS)
    start = 2
    for flag in (pika.BasicProperties.FLAG_CONTENT_TYPE, pika.BasicProperties.FLAG_CONTENT_ENCODING):
        if flags & flag:
            start += 1 + encoded[start]
    end = start + 4 + int.from_bytes(encoded[start : start + 4], "big")
    return kept.to_bytes(2, "big") + encoded[2:start] + encoded[end:]


pika.spec.props[pika.BasicProperties.INDEX] = _Arriving


class _Coalescing(AsyncioConnection):  # type: ignore[misc]
    """Sends the frames of one loop turn together: pika alone makes three system calls a publish.

    Every frame, heartbeats and closes included, passes here, so their order is kept.
    """

    _unsent: list[bytes]
    _unsent_bytes = 0

    def _output_marshaled_frames(self, marshaled_frames: Iterable[bytes]) -> None:
        if not hasattr(self, "_unsent"):
            self._unsent = []
        if not self._unsent:
            self.ioloop.call_soon(self._flush)
        for frame in marshaled_frames:
            self._unsent.append(frame)
            self._unsent_bytes += len(frame)
            self.frames_sent += 1
        if self._unsent_bytes > _FLUSH_BYTES or not self.is_open:
            self._flush()

    def _flush(self) -> None:
        if not getattr(self, "_unsent", None):
            return
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if self._transport is not None:
            self.bytes_sent += len(data)
            self._adapter_emit_data(data)

    def publish(
        self, channel: int, exchange: str, key: str, body: bytes, props: "Properties", *, mandatory: bool
    ) -> bool:
        """Publish; False: pika's own way must do it.

        Only for an open channel of an open connection; nothing is written where it is False.
        """
        if type(props) is not Properties:
            return False
        try:
            body_max = self.params.frame_max - FRAME_OVERHEAD
            frames = publish_frames(channel, exchange, key, body, props, body_max, mandatory=mandatory)
        except (TypeError, ValueError):
            return False
        self._output_marshaled_frames(frames)
        return True


# The override leans on names private to pika; where a version has others, pika's own way serves.
_CONNECTION = (
    _Coalescing
    if all(hasattr(AsyncioConnection, name) for name in ("_output_marshaled_frames", "_adapter_emit_data", "ioloop"))
    else AsyncioConnection
)


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Wrap a pika callback: an exception that reaches pika would abort the whole connection."""

    @functools.wraps(callback)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:
            _log.exception("a callback of the AMQP façade failed")

    return call


def _parameters(url: str) -> Any:
    """Read an AMQP URL, with the query parameters that RabbitMQ's URI scheme has for TLS.

    A certificate and no password: the certificate says who it is (EXTERNAL). The server's certificate and
    name are checked always: a URL that would have it otherwise is refused.

    Raises:
        Unreachable: it is no such URL, or a file cannot be read. The text holds nothing of the URL, which
            may hold a password.
    """
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        tls = {name: value for name, value in query if name in _TLS_PARAMETERS}
        rest = urlencode([(name, value) for name, value in query if name not in _TLS_PARAMETERS])
        by_certificate = "certfile" in tls and parts.password is None
        # pika takes a user only with a password; a certificate has its own name.
        netloc = parts.netloc.rpartition("@")[2] if by_certificate else parts.netloc
        if any(name == "ssl_options" for name, _ in query):
            raise ValueError  # pika's own way, which can name a weaker protocol
        parameters = pika.URLParameters(urlunsplit(parts._replace(query=rest, netloc=netloc)))
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreachable(f"not an AMQP URL ({type(error).__name__})") from None
    if parts.scheme.lower() != "amqps":
        if tls:
            raise Unreachable("certificates go with amqps://")
        return parameters
    parameters.ssl_options = pika.SSLOptions(_tls_context(tls), tls.get("server_name_indication", parameters.host))
    if by_certificate:
        parameters.credentials = ExternalCredentials()
    return parameters


def _tls_context(tls: dict[str, str]) -> ssl.SSLContext:
    if tls.get("verify", "verify_peer") != "verify_peer":
        raise Unreachable("the server's certificate is always verified: no verify but verify_peer")
    if "keyfile" in tls and "certfile" not in tls:
        raise Unreachable("a keyfile goes with the certfile of its certificate")
    try:
        context = ssl.create_default_context(cafile=tls.get("cacertfile"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if "certfile" in tls:
            # A key with a passphrase would have pika's event loop wait for somebody at a terminal.
            context.load_cert_chain(tls["certfile"], tls.get("keyfile"), password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise Unreachable(f"a certificate or its key cannot be read: {reason}") from None
    return context


def _leaves(error: BaseException) -> Iterable[BaseException]:
    """Yield an error and those it wraps; pika nests the cause of a failed connect several deep."""
    yield error
    for nested in (*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args):
        if isinstance(nested, BaseException):
            yield from _leaves(nested)


def _open_error(error: BaseException, where: str, *, tls: bool) -> CbmError:
    found = list(_leaves(error))
    for one in found:
        if isinstance(one, ProbableAuthenticationError):
            return NotAuthorised(f"RabbitMQ at {where} refuses the user name, the password or the certificate")
        if isinstance(one, ProbableAccessDeniedError) and "limit" in str(one):
            # Connections that were cut off count until their heartbeats fail: waiting helps.
            return Unreachable(f"RabbitMQ at {where} takes no further connection of this user: the limit is reached")
        if isinstance(one, ProbableAccessDeniedError):
            return NotAuthorised(f"RabbitMQ at {where} refuses the virtual host, or there is none of that name")
        if isinstance(one, ConnectionClosed) and one.reply_code in (403, 530):
            return NotAuthorised(f"RabbitMQ at {where} refuses: {one.reply_text}")
    for one in found:
        if isinstance(one, ssl.SSLError):
            return Unreachable(f"no TLS with {where}: {one.reason or one}")
        if isinstance(one, IncompatibleProtocolError) and tls:
            # TLS 1.3 lets the client's side of the handshake succeed first; the refusal is an ended connection.
            return NotAuthorised(f"RabbitMQ at {where} ends the connection: it wants another certificate, or any")
        if isinstance(one, IncompatibleProtocolError):
            return Unreachable(f"what answers at {where} does not speak AMQP 0-9-1")
    last = next((one for one in found if isinstance(one, OSError)), found[-1])
    return Unreachable(f"no RabbitMQ answers at {where}: {str(last) or type(last).__name__}")


class Session:
    """One connection to RabbitMQ. `lost` completes when it ends, with the reason; `close` ends it in order."""

    def __init__(self, connection: Any, where: str) -> None:
        self._connection = connection
        self.where = where
        transport: Any = getattr(connection, "_transport", None)
        if hasattr(transport, "_MAX_RECV_BYTES"):
            transport._MAX_RECV_BYTES = _READ_BYTES
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[ConnectionLost] = loop.create_future()
        self._unblocked = asyncio.Event()
        self._unblocked.set()
        # Whoever waits for an unblocking must hear of the end, however it came.
        self.lost.add_done_callback(lambda _: self._unblocked.set())
        connection.add_on_close_callback(_guarded(self._on_close))
        connection.add_on_connection_blocked_callback(_guarded(self._on_blocked))
        connection.add_on_connection_unblocked_callback(_guarded(self._on_unblocked))

    @classmethod
    async def open(cls, url: str, *, name: str, heartbeat_s: int = 15, timeout_s: float = OPEN_TIMEOUT_S) -> "Session":
        """Connect.

        Raises:
            Unreachable: nobody answers, or no RabbitMQ; or the user's connections are as many as it may have.
            NotAuthorised: wrong user, password, certificate or virtual host.
        """
        parameters = _parameters(url)
        parameters.heartbeat = heartbeat_s
        parameters.connection_attempts = 1
        parameters.socket_timeout = timeout_s
        parameters.stack_timeout = timeout_s
        parameters.client_properties = {"connection_name": name, "product": "cbm"}
        where, tls = f"{parameters.host}:{parameters.port}", parameters.ssl_options is not None
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Any] = loop.create_future()

        def on_open(connection: Any) -> None:
            if not opened.done():
                opened.set_result(connection)

        def on_error(_: Any, error: BaseException) -> None:
            if not opened.done():
                opened.set_exception(_open_error(error, where, tls=tls))

        try:
            connection = _CONNECTION(
                parameters,
                on_open_callback=_guarded(on_open),
                on_open_error_callback=_guarded(on_error),
                custom_ioloop=loop,
            )
        except (AMQPConnectionError, OSError) as error:
            raise _open_error(error, where, tls=tls) from None
        try:
            async with asyncio.timeout(timeout_s + 1):
                await asyncio.shield(opened)
        except TimeoutError:
            with contextlib.suppress(Exception):
                connection.close()
            raise Unreachable(f"no answer from {where} within {timeout_s} s") from None
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                connection.close()
            raise
        return cls(connection, where)

    def _on_close(self, _: Any, error: BaseException) -> None:
        if not self.lost.done():
            text = getattr(error, "reply_text", "") or str(error) or type(error).__name__
            self.lost.set_result(ConnectionLost(f"the connection to {self.where} ended: {text}"))

    def _on_blocked(self, _: Any, frame: Any) -> None:
        self._unblocked.clear()
        reason = getattr(frame.method, "reason", "")
        _log.warning("RabbitMQ takes no publishes for now: %s", reason, extra={"event": "amqp.blocked"})

    def _on_unblocked(self, *_: Any) -> None:
        self._unblocked.set()
        _log.warning("RabbitMQ takes publishes again", extra={"event": "amqp.unblocked"})

    @property
    def is_open(self) -> bool:
        """Whether the connection serves."""
        return not self.lost.done() and bool(self._connection.is_open)

    @property
    def is_blocked(self) -> bool:
        """Whether RabbitMQ told us to stop publishing (memory or disk alarm)."""
        return not self._unblocked.is_set()

    @property
    def server_version(self) -> str:
        """RabbitMQ's version, as it says."""
        return str((self._connection.server_properties or {}).get("version", ""))

    def _unsent_bytes(self) -> int:
        transport = getattr(self._connection, "_transport", None)
        size = getattr(transport, "get_write_buffer_size", None)
        return int(size()) if size is not None else 0

    async def _new_channel(self) -> Any:
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Any] = loop.create_future()

        def on_open(channel: Any) -> None:
            if not opened.done():
                opened.set_result(channel)

        def on_lost(_: Any) -> None:
            if not opened.done():
                opened.set_exception(self._gone())

        self.lost.add_done_callback(on_lost)
        try:
            self._connection.channel(on_open_callback=_guarded(on_open))
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await opened
        except TimeoutError:
            raise TimedOut(f"{self.where} opened no channel within {OPEN_TIMEOUT_S} s") from None
        except (ConnectionWrongStateError, ConnectionClosed):
            raise self._gone() from None
        finally:
            self.lost.remove_done_callback(on_lost)

    def _gone(self) -> ConnectionLost:
        if self.lost.done():
            return ConnectionLost(str(self.lost.result()))
        return ConnectionLost(f"the connection to {self.where} is closing")

    async def channel(self) -> "Channel":
        """Open a channel for declaring and looking."""
        return Channel(self, await self._new_channel())

    async def publisher(self) -> "Publisher":
        """Open a channel whose publishes RabbitMQ confirms."""
        publisher = Publisher(self, await self._new_channel())
        await publisher.start()
        return publisher

    async def consumer(self, queue: str, *, prefetch: int, arguments: Headers | None = None) -> "Consumer":
        """Open a channel that consumes one queue; for a stream give `x-stream-offset` in `arguments`.

        Raises:
            NotFound, NotAuthorised: there is no such queue, or it may not be read.
        """
        consumer = Consumer(self, await self._new_channel(), queue)
        await consumer.start(prefetch, arguments)
        return consumer

    async def close(self) -> None:
        """Close the connection; unacknowledged deliveries go back to their queues in order."""
        if self._connection.is_open:
            with contextlib.suppress(ConnectionWrongStateError):
                self._connection.close()
        if not self.lost.done():
            await asyncio.wait([self.lost], timeout=CLOSE_TIMEOUT_S)
        if not self.lost.done():
            self.abort("it did not close in time")

    def abort(self, reason: str) -> None:
        """Give the connection up at once, without a word to RabbitMQ."""
        # pika's own way to end a connection at once; its public `close` waits for RabbitMQ's answer.
        terminate = getattr(self._connection, "_terminate_stream", None)
        if terminate is not None and not self._connection.is_closed:
            with contextlib.suppress(Exception):
                terminate(AMQPConnectionError(reason))
        if not self.lost.done():
            self.lost.set_result(ConnectionLost(f"the connection to {self.where} was given up: {reason}"))


class Channel:
    """One AMQP channel. `closed` completes when it ends, with the reason as an error."""

    def __init__(self, session: Session, channel: Any) -> None:
        self.session = session
        self._channel = channel
        self.closed: asyncio.Future[CbmError] = asyncio.get_running_loop().create_future()
        channel.add_on_close_callback(_guarded(self._on_close))
        session.lost.add_done_callback(self._on_lost)

    def _on_lost(self, lost: "asyncio.Future[ConnectionLost]") -> None:
        if not lost.cancelled():
            self._ended(lost.result())

    def _on_close(self, _: Any, error: BaseException) -> None:
        self.session.lost.remove_done_callback(self._on_lost)
        if isinstance(error, ChannelClosedByBroker):
            reason: CbmError = {
                403: NotAuthorised(f"RabbitMQ refuses: {error.reply_text}"),
                404: NotFound(f"RabbitMQ says: {error.reply_text}"),
            }.get(error.reply_code, ChannelClosed(error.reply_code, error.reply_text))
        else:
            reason = ConnectionLost(str(error) or "the channel was closed")
        self._ended(reason)

    def _ended(self, reason: CbmError) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)

    @property
    def is_open(self) -> bool:
        """Whether the channel serves."""
        return not self.closed.done() and bool(self._channel.is_open) and self.session.is_open

    async def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a synchronous AMQP call and await its answer, or the end of the channel."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def on_answer(frame: Any) -> None:
            if not answered.done():
                answered.set_result(frame)

        try:
            method(*args, callback=_guarded(on_answer), **kwargs)
        except (ChannelWrongStateError, ConnectionWrongStateError, ConnectionClosed):
            raise self._reason() from None
        outcomes: list[asyncio.Future[Any]] = [answered, self.closed]
        await asyncio.wait(outcomes, timeout=OPEN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            return answered.result()
        if not self.closed.done():
            raise TimedOut(f"{self.session.where} did not answer within {OPEN_TIMEOUT_S} s")
        raise self._reason()

    def _reason(self) -> CbmError:
        if self.closed.done():
            return self.closed.result()
        if self.session.lost.done():
            return ConnectionLost(str(self.session.lost.result()))
        return ConnectionLost("the channel is closing")

    async def declare_exchange(self, name: str, type_: str) -> None:
        """Declare a durable exchange."""
        await self._call(self._channel.exchange_declare, name, type_, durable=True)

    async def declare_queue(
        self, name: str, arguments: Headers | None = None, *, passive: bool = False
    ) -> tuple[int, int]:
        """Declare a durable queue, or look at one; returns how many messages are ready and how many consumers."""
        frame = await self._call(
            self._channel.queue_declare, name, durable=True, passive=passive, arguments=arguments or {}
        )
        return int(frame.method.message_count), int(frame.method.consumer_count)

    async def delete_queue(self, name: str) -> None:
        """Delete a queue with what is in it."""
        await self._call(self._channel.queue_delete, name)

    async def bind_queue(self, queue: str, exchange: str, key: str) -> None:
        """Bind a queue to an exchange."""
        await self._call(self._channel.queue_bind, queue, exchange, key)

    async def unbind_queue(self, queue: str, exchange: str, key: str) -> None:
        """Take a queue's binding away; one that is not there is no error."""
        await self._call(self._channel.queue_unbind, queue, exchange, key)

    async def unbind_exchange(self, destination: str, source: str, key: str) -> None:
        """Take an exchange's binding away; one that is not there is no error."""
        await self._call(self._channel.exchange_unbind, destination, source, key)

    async def bind_exchange(self, destination: str, source: str, key: str) -> None:
        """Bind an exchange to an exchange."""
        await self._call(self._channel.exchange_bind, destination, source, key)

    async def close(self) -> None:
        """Close the channel; what it had not acknowledged goes back to its queue in order."""
        if self._channel.is_open:
            with contextlib.suppress(ChannelWrongStateError, ConnectionWrongStateError):
                self._channel.close()
        if not self.closed.done():
            await asyncio.wait([self.closed], timeout=CLOSE_TIMEOUT_S)


class Outcomes(Protocol):
    """Who hears of each publish what became of it, by the index given at the publish. Must not raise."""

    def expect(self) -> None:
        """One more publish is under way."""

    def settle(self, index: int, error: CbmError | None) -> None:
        """A publish was confirmed, or failed."""


class Confirmations:
    """The outcome of a group of publishes, awaited once for all of them."""

    __slots__ = ("_done", "_open", "failures")

    def __init__(self) -> None:
        self._open = 0
        self._done: asyncio.Future[None] | None = None
        self.failures: dict[int, TransportError | CbmError] = {}
        """By the index given at the publish; what is not here was confirmed."""

    def expect(self) -> None:
        """One more publish is under way."""
        self._open += 1

    def settle(self, index: int, error: CbmError | None) -> None:
        """A publish was confirmed, or failed."""
        if error is not None:
            self.failures[index] = error
        self._open -= 1
        if self._open == 0 and self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def wait(self, timeout_s: float) -> dict[int, TransportError | CbmError]:
        """Await every outcome; returns the failures.

        Raises:
            TimedOut: some are still open; their outcome is unknown.
        """
        if self._open:
            self._done = asyncio.get_running_loop().create_future()
            try:
                # Not `wait_for`, which in Python 3.11 forgets a cancellation that comes together with the last outcome.
                async with asyncio.timeout(timeout_s):
                    await self._done
            except TimeoutError:
                raise TimedOut(f"{self._open} publishes were not confirmed within {timeout_s} s") from None
        return self.failures


class _Pending:
    """One publish that RabbitMQ has not answered yet."""

    __slots__ = ("exchange", "group", "index", "key", "message_id", "returned")

    def __init__(self, group: Outcomes, index: int, exchange: str, key: str, message_id: str | None) -> None:
        self.group, self.index = group, index
        self.exchange, self.key, self.message_id = exchange, key, message_id
        self.returned: PublishReturned | None = None


class Publisher(Channel):
    """A channel in confirm mode. Everything is published mandatory unless it is said otherwise."""

    def __init__(self, session: Session, channel: Any) -> None:
        super().__init__(session, channel)
        self._tag = 0
        self._first = 1
        self._pending: dict[int, _Pending] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._heard = 0.0
        self._connection = session._connection
        self._fast = isinstance(self._connection, _Coalescing)

    async def start(self) -> None:
        """Switch confirms on."""
        self._channel.add_on_return_callback(_guarded(self._on_return))
        await self._call(self._channel.confirm_delivery, _guarded(self._on_confirm))

    async def ready(self) -> None:
        """Wait until publishing makes sense: not blocked, not too much unconfirmed or unsent.

        Raises:
            ConnectionLost, ChannelClosed, NotAuthorised, NotFound: the channel ended.
        """
        while True:
            if not self.is_open:
                raise self._reason()
            if self.session.is_blocked:
                await self.session._unblocked.wait()
            elif len(self._pending) >= MAX_UNCONFIRMED:
                self._room.clear()
                await self._room.wait()
            elif self.session._unsent_bytes() > MAX_UNSENT_BYTES:
                await asyncio.sleep(0.005)
            else:
                return

    def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        props: Properties,
        group: Outcomes,
        index: int,
        *,
        mandatory: bool = True,
    ) -> None:
        """Publish one message; its outcome goes to `group` under `index`. Never raises.

        What is not mandatory may reach no queue and is confirmed all the same.
        """
        group.expect()
        try:
            # A channel that is not open is pika's to name the reason of.
            if not (self._fast and self._channel.is_open and self._connection.is_open) or not self._connection.publish(
                self._channel.channel_number, exchange, key, body, props, mandatory=mandatory
            ):
                self._channel.basic_publish(exchange, key, body, props, mandatory=mandatory)
        except (ChannelWrongStateError, ConnectionWrongStateError, ConnectionClosed):
            group.settle(index, self._reason())
            return
        except Exception as error:
            # pika could not write it down; nothing of it was sent, so the tag is not used up.
            group.settle(index, TransportError(f"cannot be published: {type(error).__name__}"))
            return
        self._tag += 1
        self._pending[self._tag] = _Pending(group, index, exchange, key, props.message_id)

    async def publish_confirmed(
        self, exchange: str, key: str, body: bytes, props: Properties, timeout_s: float
    ) -> None:
        """Publish one message and wait for its confirm.

        Raises:
            PublishNacked, PublishReturned, ConnectionLost, TimedOut, NotAuthorised, NotFound: as it went.
        """
        await self.ready()
        group = Confirmations()
        self.publish(exchange, key, body, props, group, 0)
        for error in (await self.settled(group, timeout_s)).values():
            raise error

    async def settled(self, group: Confirmations, timeout_s: float) -> dict[int, TransportError | CbmError]:
        """Await every outcome of a group of this channel; returns the failures.

        A RabbitMQ that is busy confirms late and goes on confirming: what counts is how long the channel heard
        nothing while publishes were open and RabbitMQ had not said that it takes none.

        Raises:
            TimedOut: nothing for so long; the outcome of what is open is unknown.
        """
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            try:
                return await group.wait(max(since, self._heard) + timeout_s - loop.time())
            except TimedOut:
                if self.session.is_blocked:
                    since = loop.time()
                elif max(since, self._heard) + timeout_s <= loop.time():
                    raise TimedOut(f"{self.session.where} confirmed nothing for {timeout_s} s") from None

    def _on_return(self, _: Any, method: Any, props: Any, __: bytes) -> None:
        # A return has no tag and comes before its confirm. Two publishes alike in exchange, key and id are
        # both marked: repeating one too many is a duplicate, repeating one too few would be a loss.
        error = PublishReturned(f"no queue takes {method.exchange} with key {method.routing_key}: {method.reply_text}")
        for pending in self._pending.values():
            same = (pending.exchange, pending.key) == (method.exchange, method.routing_key)
            if same and pending.message_id == props.message_id:
                pending.returned = error

    def _on_confirm(self, frame: Any) -> None:
        self._heard = asyncio.get_running_loop().time()
        tag, multiple = int(frame.method.delivery_tag), bool(frame.method.multiple)
        nack = frame.method.NAME == "Basic.Nack"
        tags = range(self._first, tag + 1) if multiple else (tag,)
        for one in tags:
            pending = self._pending.pop(one, None)
            if pending is not None:
                error: CbmError | None = pending.returned
                if nack:
                    error = PublishNacked(f"RabbitMQ did not store it: a queue behind {pending.exchange} is full")
                pending.group.settle(pending.index, error)
        if multiple:
            self._first = max(self._first, tag + 1)
        if len(self._pending) < MAX_UNCONFIRMED:
            self._room.set()

    def _ended(self, reason: CbmError) -> None:
        super()._ended(reason)
        # NotFound and NotAuthorised concern the one publish that closed the channel, but nobody can say
        # which: all that was open has an unknown outcome.
        pending, self._pending = self._pending, {}
        for one in pending.values():
            one.group.settle(one.index, reason)
        self._room.set()


class Delivery:
    """One hand-over of a message by RabbitMQ, with its tag. The body is the bytes as they came."""

    __slots__ = ("_properties", "body", "exchange", "key", "redelivered", "tag")

    def __init__(self, method: Any, props: Any, body: bytes) -> None:
        self.tag = int(method.delivery_tag)
        self.redelivered = bool(method.redelivered)
        self.exchange: str = method.exchange
        self.key: str = method.routing_key
        self.body = body
        self._properties = props

    @property
    def headers(self) -> Headers:
        """The headers table; empty where there is none."""
        return self._properties.headers or {}

    @property
    def message_id(self) -> str | None:
        """The AMQP message_id."""
        return _text(self._properties.message_id)

    @property
    def type(self) -> str | None:
        """The AMQP type."""
        return _text(self._properties.type)

    @property
    def app_id(self) -> str | None:
        """The AMQP app_id."""
        return _text(self._properties.app_id)

    @property
    def user_id(self) -> str | None:
        """The AMQP user_id, which RabbitMQ checked against the publisher's connection."""
        return _text(self._properties.user_id)

    @property
    def content_type(self) -> str | None:
        """The AMQP content_type."""
        return _text(self._properties.content_type)

    @property
    def content_encoding(self) -> str | None:
        """The AMQP content_encoding."""
        return _text(self._properties.content_encoding)

    @property
    def stream_offset(self) -> int | None:
        """The offset within a stream; None for a queue."""
        offset = self.headers.get("x-stream-offset")
        return int(offset) if offset is not None else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class Consumer(Channel):
    """A channel that consumes one queue with manual acknowledgement."""

    def __init__(self, session: Session, channel: Any, queue: str) -> None:
        super().__init__(session, channel)
        self.queue = queue
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._cancelled = False

    async def start(self, prefetch: int, arguments: Headers | None = None) -> None:
        """Begin to consume."""
        self._channel.add_on_cancel_callback(_guarded(self._on_cancel))
        await self._call(self._channel.basic_qos, prefetch_count=prefetch)
        # pika knows the consumer only once the answer is there, and drops what comes before; so the callback
        # is given at once and collects.
        await self._call(self._channel.basic_consume, self.queue, _guarded(self._on_message), arguments=arguments or {})

    def _on_message(self, _: Any, method: Any, props: Any, body: bytes) -> None:
        self._waiting.append(Delivery(method, props, body))
        self._arrived.set()

    def _on_cancel(self, _: Any) -> None:
        self._cancelled = True
        self._arrived.set()

    def _ended(self, reason: CbmError) -> None:
        super()._ended(reason)
        self._waiting.clear()
        self._arrived.set()

    async def batch(self, limit: int) -> list[Delivery]:
        """Return what is waiting, at least one delivery and at most `limit`, in the queue's order.

        Raises:
            ConnectionLost, ChannelClosed, NotFound, NotAuthorised: the consumer ended; `NotFound` also
                where RabbitMQ cancelled it, because the queue was deleted or moved.
        """
        while not self._waiting:
            if self._cancelled and not self.closed.done():
                raise NotFound(f"RabbitMQ cancelled the consumer of {self.queue}")
            if not self.is_open:
                raise self._reason()
            self._arrived.clear()
            await self._arrived.wait()
        waiting = self._waiting
        if len(waiting) <= limit:
            taken = list(waiting)
            waiting.clear()
            return taken
        return [waiting.popleft() for _ in range(limit)]

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Acknowledge a delivery, or all up to it. Without effect once the channel ended: RabbitMQ
        delivers again what it did not hear of."""
        if self._channel.is_open:
            with contextlib.suppress(ChannelWrongStateError, ConnectionWrongStateError):
                self._channel.basic_ack(tag, multiple)

    def requeue(self, tag: int) -> None:
        """Give a delivery back to its queue."""
        if self._channel.is_open:
            with contextlib.suppress(ChannelWrongStateError, ConnectionWrongStateError):
                self._channel.basic_reject(tag, requeue=True)


def stream_offset(since: datetime | int | str) -> Headers:
    """Return the consumer argument for reading a stream from a moment, an offset, or `first`, `last`, `next`."""
    return {"x-stream-offset": since}
