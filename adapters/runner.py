"""The process that runs a translator between an agency's folders and RabbitMQ, both ways.

Owns the folders and the order of steps: a document leaves the inbox only when RabbitMQ confirmed its
messages, a message is acknowledged only when its document is on the disk; killed between any two
steps it repeats work under the same ids and loses none. Never translates, never decides who sees what.
"""

import asyncio
import contextlib
import functools
import hashlib
import itertools
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters import codelists, large, profile
from adapters.answers import Answers
from adapters.document import Document, Origin
from adapters.folder import WHOLE_PREFIX, Folders, safe_name, write_whole
from adapters.formats import FALLBACK_FORMAT, by_name, documents_in, read_all
from adapters.notes import Notes
from adapters.translator import Streaming, Translator
from adapters.watch import Watch
from broker.client import Client, Received
from broker.keys import SigningKey
from broker.logs import log
from broker.names import LANES
from broker.settings import Adapter, Settings
from broker.signatures import sign_message
from schemas import Message, ReceiptMessage
from schemas.envelope import family_of
from schemas.errors import ConfigError, Fault, InvalidMessage, PublishNacked, TranslationError
from schemas.view import View

# A file that fails while it is so young may still be being written by somebody who does not rename.
_SETTLING_S = 2.0
_WAIT_MAX_S = 10.0
# Documents read, and noted on the disk, while the one before them is published.
_READ_AHEAD = 8
_LARGE_BYTES = 1024 * 1024
# Messages of a large document that are made, published and confirmed together.
_TOGETHER = 200
_PROGRESS_S = 10.0
_INTERNAL = (Fault("internal-error", "", "a fault of cbm's own; see the adapter's log"),)


@dataclass(frozen=True, slots=True)
class Taken:
    """A document that was read, and the messages that it says."""

    path: Path
    sha256: str
    format: str
    count: int
    messages: Iterator[Message]
    whole: bool = True
    """Whether all of its messages are held, and noted on the disk; those of a large document are made as they go."""


class Runner:
    """One agency's adapter."""

    def __init__(self, settings: Settings, adapter: Adapter, client: Client, key: SigningKey | None = None) -> None:
        self._client = client
        self._adapter = adapter
        self._key = key
        self._limits = settings.limits
        self._zone = ZoneInfo(adapter.zone)
        self._profile, self._profile_stamp = profile.chosen(adapter.profile), profile.stamp(adapter.profile)
        self._codes_folder = settings.state_dir / codelists.CODES_FOLDER
        self._codes, self._codes_stamp = codelists.kept(self._codes_folder), codelists.stamp(self._codes_folder)
        self._reads = [by_name(name) for name in adapter.reads]
        self._writes = by_name(adapter.writes)
        self._fallback = by_name(FALLBACK_FORMAT)
        self.folders = Folders(adapter.inbox, adapter.outbox)
        receipts = by_name(adapter.receipts) if adapter.receipts else None
        self._notes = Notes(self.folders)
        self._answers = Answers(self.folders.outbox, receipts, acknowledges=adapter.acknowledges)
        self._stopping = asyncio.Event()
        self._nudged = asyncio.Event()
        self._large = asyncio.Semaphore(1)
        self._unreadable: set[str] = set()
        self.watch = Watch()

    @property
    def limit_bytes(self) -> int:
        """The largest document that any of the formats takes."""
        streams = any(isinstance(one, Streaming) for one in self._reads)
        return self._limits.stream_bytes if streams else self._limits.document_bytes

    def nudge(self) -> None:
        """Look at the inbox at once."""
        self._nudged.set()

    def stop(self) -> None:
        """Ask for an orderly end: the step under way is finished."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until stopped.

        Raises:
            NotAuthorised: RabbitMQ refuses the agency.
        """
        self.folders.make()
        log.info("adapter.started", agency=self._adapter.agency, reads=self._adapter.reads, writes=self._writes.name)
        tasks = [asyncio.create_task(self._watch(), name="inbox")]
        tasks += [asyncio.create_task(self._receive(kind), name=f"receive {kind}") for kind in LANES]
        tasks.append(asyncio.create_task(self._receipts(), name="receipts"))
        stopping = asyncio.create_task(self._stopping.wait())
        ends: list[asyncio.Future[Any]] = [stopping, *tasks]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        log.info("adapter.stopped", agency=self._adapter.agency)

    async def _watch(self) -> None:
        """Look at the inbox again and again; what is renamed in meanwhile is seen at the next look."""
        wait_s = self._adapter.poll_s
        while True:
            self._renew()
            self._nudged.clear()
            try:
                await self._take(self._waiting())
                if self._stopping.is_set():
                    return
                wait_s = self._adapter.poll_s
            except (PublishNacked, OSError) as error:
                # Our queue is full or the disk is: nothing is lost by waiting.
                log.warning("message.held", agency=self._adapter.agency, reasons=[_words(error)], wait_s=wait_s)
                wait_s = min(max(wait_s, 0.1) * 2, _WAIT_MAX_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._nudged.wait()

    def _renew(self) -> None:
        """Take up a profile or code lists that changed; of those with faults is told, and the old ones stay."""
        name = self._adapter.profile
        try:
            stamp = profile.stamp(name)
            if stamp != self._profile_stamp:
                self._profile_stamp = stamp
                self._profile = profile.chosen(name)
                log.info("profile.applied", agency=self._adapter.agency, profile=name, version=self._profile.version)
            stamp = codelists.stamp(self._codes_folder)
            if stamp != self._codes_stamp:
                self._codes_stamp = stamp
                self._codes = codelists.kept(self._codes_folder)
                versions = {one.name: one.version for one in self._codes.lists.values()}
                log.info("codes.applied", agency=self._adapter.agency, lists=versions)
        except (ConfigError, TranslationError) as error:
            reasons = [f"{fault.pointer}: {fault.detail}" for fault in error.faults[:10]]
            log.error("profile.refused", agency=self._adapter.agency, profile=name, reasons=reasons)
        except OSError as error:
            log.error("profile.refused", agency=self._adapter.agency, profile=name, reasons=[_words(error)])

    def _waiting(self) -> list[Path]:
        """The inbox's documents in the order in which they came; what begins with a dot is not one yet."""
        found: list[tuple[int, str, Path]] = []
        with os.scandir(self.folders.inbox) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith((".tmp", ".part")):
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry.stat().st_mtime_ns, entry.name, Path(entry.path)))
                except OSError:
                    continue
        self._unreadable &= {path.name for _, _, path in found}
        return [path for _, _, path in sorted(found)]

    async def _take(self, paths: list[Path]) -> None:
        """Take documents in order; the next few are read while one waits for its confirms."""
        ahead: deque[asyncio.Task[Taken | None]] = deque()
        coming = iter(paths)
        try:
            while not self._stopping.is_set():
                for path in itertools.islice(coming, _READ_AHEAD - len(ahead)):
                    ahead.append(asyncio.create_task(self._prepare(path)))
                if not ahead:
                    return
                taken = await ahead.popleft()
                if taken is not None:
                    await self._hand_over(taken)
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _prepare(self, path: Path) -> "Taken | None":
        """Read a document into messages; None where it is put aside, or is none yet."""
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave(path, error)
            return None
        size, settled = stat.st_size, time.time() - stat.st_mtime > _SETTLING_S
        try:
            if size <= _LARGE_BYTES:
                return await self._read_file(path, settled)
            # What takes memory or time to read, one at a time.
            async with self._large:
                translator = await asyncio.to_thread(large.recognised, path, self._reads)
                limit = self._limits.document_bytes if translator is None else self._limits.stream_bytes
                if size > limit:
                    text = f"{size} bytes; this adapter reads at most {limit} of such a document"
                    self._fail(path, None, [Fault("too-large", "", text)])
                    return None
                if translator is not None:
                    return await self._read_large(path, translator, settled)
                return await self._read_file(path, settled)
        except FileNotFoundError:
            return None

    async def _read_large(self, path: Path, translator: Translator, settled: bool) -> "Taken | None":
        """Look a large document through; its messages are made once more while they are published."""
        of = await asyncio.to_thread(large.fingerprint, path, translator.name)
        origin = self._origin(of.sha256, path)
        log.info("document.reading", agency=self._adapter.agency, document=path.name, size_bytes=of.size)
        try:
            found = await asyncio.to_thread(large.check, path, translator, of, origin, self._limits.message_bytes)
        except TranslationError as error:
            if settled or path.name.startswith(WHOLE_PREFIX):
                self._fail(path, of.sha256, error.faults)
            return None
        except Exception:
            log.exception("message.internal_error", agency=self._adapter.agency, sha256=of.sha256)
            self._fail(path, of.sha256, _INTERNAL)
            return None
        return Taken(path, of.sha256, of.format, found.count, large.messages(found, translator, origin), whole=False)

    async def _read_file(self, path: Path, settled: bool) -> "Taken | None":
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return None
        document = Document(content, max_bytes=self._limits.document_bytes)
        try:
            format_, found = await asyncio.to_thread(self._read, document, path)
        except TranslationError as error:
            if settled or path.name.startswith(WHOLE_PREFIX):
                self._answer(document, path, error.faults)
                self._fail(path, document.sha256, error.faults)
            return None
        except Exception:
            log.exception("message.internal_error", agency=self._adapter.agency, sha256=document.sha256)
            self._fail(path, document.sha256, _INTERNAL)
            return None
        return Taken(path, document.sha256, format_, len(found), iter(found))

    def _leave(self, path: Path, error: OSError) -> None:
        """Leave a file that cannot be read where it is, told once; the others do not wait for it."""
        if path.name not in self._unreadable:
            self._unreadable.add(path.name)
            log.error("document.unreadable", agency=self._adapter.agency, document=path.name, reasons=[_words(error)])

    async def _hand_over(self, taken: "Taken") -> None:
        """Publish what a document says, then keep it."""
        path = taken.path
        log.info(
            "document.taken",
            agency=self._adapter.agency,
            document=path.name,
            format=taken.format,
            sha256=taken.sha256,
            messages=taken.count,
        )
        done, told = 0, time.monotonic()
        while found := await asyncio.to_thread(self._next, taken):
            if taken.whole:
                self.watch.taken(path.name, taken.sha256, taken.format, found)
            # Handed over in order, and confirmed together.
            await asyncio.gather(*(self._client.publish(message) for message in found))
            for message in found:
                log.info("message.published", **_about(self._adapter.agency, message))
            done += len(found)
            if time.monotonic() - told > _PROGRESS_S:
                told = time.monotonic()
                log.info(
                    "document.progress", agency=self._adapter.agency, document=path.name, done=done, of=taken.count
                )
        self._keep(path, taken.sha256)
        self.watch.kept(path.name)

    def _next(self, taken: "Taken") -> list[Message]:
        """Return the document's next messages, signed where the agency signs."""
        found = list(taken.messages) if taken.whole else list(itertools.islice(taken.messages, _TOGETHER))
        if self._key is not None and not taken.whole:
            found = [sign_message(one, self._key, by_field=self._adapter.sign_by_field) for one in found]
        return found

    def _origin(self, sha256: str, path: Path) -> Origin:
        first_seen = self._notes.first_seen(sha256, path.name)
        return Origin(self._adapter.agency, first_seen, self._zone, self._profile, self._codes)

    def _read(self, document: Document, path: Path) -> tuple[str, list[Message]]:
        """Read a document, or those in an e-mail, into messages; (the first one's format, the messages)."""
        parts = documents_in(document, among=self._reads)
        found: list[Message] = []
        for part, read in zip(parts, read_all(parts, lambda one: self._origin(one.sha256, path)), strict=True):
            made = self._signed(read)
            for message in made:
                if (size := len(message.to_bytes())) > self._limits.message_bytes:
                    text = f"its message would have {size} bytes; a message has at most {self._limits.message_bytes}"
                    raise TranslationError([Fault("too-large", part.place, text)])
            name = f"{path.name}.{part.place.replace(' ', '-')}" if part.place else path.name
            for message in made:
                self._notes.sent(message, name, part.document.sha256)
            if part.document is not document:
                self._notes.keep_part(part.document.content, part.document.sha256)
            self._answer(part.document, path, ())
            found += made
        return parts[0].translator.name, found

    def _signed(self, found: list[Message]) -> list[Message]:
        if self._key is None:
            return found
        try:
            return [sign_message(one, self._key, by_field=self._adapter.sign_by_field) for one in found]
        except InvalidMessage as error:
            raise TranslationError(error.faults) from None

    def _answer(self, document: Document, path: Path, faults: Sequence[Fault]) -> None:
        received = self._notes.first_seen(document.sha256, path.name).astimezone(UTC)
        self._answers.to_document(document, faults, received, self._profile)

    def _keep(self, path: Path, sha256: str) -> None:
        self._notes.keep(path, sha256)
        log.info("document.kept", agency=self._adapter.agency, document=path.name, sha256=sha256)

    def _fail(self, path: Path, sha256: str | None, faults: Sequence[Fault]) -> None:
        self._notes.put_aside(path, sha256, faults)
        self.watch.failed(path.name, sha256 or "", faults)
        codes = [fault.code for fault in faults]
        log.warning("document.failed", agency=self._adapter.agency, document=path.name, faults=codes)

    async def _receipts(self) -> None:
        async for received in self._client.inbox("receipt"):
            await self._held(functools.partial(self._settle_receipt, received))
            received.ack()
            with contextlib.suppress(InvalidMessage):
                if isinstance(received.message, ReceiptMessage):
                    self.watch.settled(received.message.data)

    def _settle_receipt(self, received: Received) -> None:
        try:
            message = received.message
        except InvalidMessage:
            return
        if not isinstance(message, ReceiptMessage):
            return
        receipt = message.data
        self._answers.to_receipt(message, self._profile)
        log.info(
            "receipt.received",
            agency=self._adapter.agency,
            message_id=receipt.of.id,
            type=receipt.of.type,
            subject=message.subject,
            disposition=receipt.disposition,
            correlation_id=message.correlationid,
            traceparent=message.traceparent,
            faults=[fault.code for fault in receipt.faults or ()],
        )
        self._notes.settled(receipt)

    async def _receive(self, kind: str) -> None:
        async for received in self._client.inbox(kind):
            await self._held(functools.partial(self._write, received))
            received.ack()

    async def _held(self, step: Callable[[], None]) -> None:
        """Do a step on the disk, waiting and trying again while the disk is full or away."""
        wait_s = 0.2
        while True:
            try:
                await asyncio.to_thread(step)
            except OSError as error:
                pause = random.uniform(wait_s / 2, wait_s)
                log.warning("message.held", agency=self._adapter.agency, reasons=[_words(error)], wait_s=pause)
                await asyncio.sleep(pause)
                wait_s = min(wait_s * 2, _WAIT_MAX_S)
            else:
                return

    def _write(self, received: Received) -> None:
        """Write a message as a document of the agency; as a CloudEvent where the format has no words for it."""
        try:
            message = received.message
        except InvalidMessage:
            digest = hashlib.sha256(received.body).hexdigest()
            write_whole(self.folders.outbox / f"unreadable-{digest[:16]}.json", received.body)
            return
        translator = self._writes
        try:
            if isinstance(message, View):
                raise TranslationError([Fault("withheld", "", "too much is withheld for a document")])
            # A CloudEvent stays the bytes it is: its signature is over how it is written.
            content = received.body if translator is self._fallback else translator.write(message, self._profile)
        except TranslationError:
            translator, content = self._fallback, received.body
        except Exception:
            log.exception("message.internal_error", agency=self._adapter.agency, message_id=message.id)
            translator, content = self._fallback, received.body
        # A view may have its time withheld.
        moment = (message.time or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        unique = hashlib.sha256(f"{message.source} {message.id}".encode()).hexdigest()[:12]
        name = f"{moment}-{message.type}-{safe_name(message.subject, 40)}-{unique}{translator.suffix}"
        write_whole(self.folders.outbox / name, content)
        log.info("message.received", **_about(self._adapter.agency, message))
        log.info(
            "document.written",
            agency=self._adapter.agency,
            message_id=message.id,
            document=name,
            format=translator.name,
            traceparent=message.traceparent,
        )


def _about(agency: str, message: Message | View) -> dict[str, Any]:
    """What a log line says of a message."""
    return {
        "agency": agency,
        "source": message.source,
        "lane": family_of(message.type),
        "message_id": message.id,
        "type": message.type,
        "subject": message.subject,
        "correlation_id": message.correlationid or message.id,
        "traceparent": message.traceparent,
    }


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
