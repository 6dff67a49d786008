"""The process that runs a translator between an agency's folders and RabbitMQ, both ways.

Owns the folders and the order of steps: a document leaves the inbox only when RabbitMQ confirmed its
messages, a message is acknowledged only when its document is on the disk; killed between any two
steps it repeats work under the same ids and loses none. Never translates, never decides who sees what.
"""

import asyncio
import functools
import hashlib
import json
import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.document import Document, Origin
from adapters.formats import by_name, recognise
from adapters.translator import Translator, messages
from broker.client import Client, Received
from broker.keys import SigningKey
from broker.logs import log
from broker.names import LANES
from broker.settings import Adapter, Settings
from broker.signatures import sign_message
from schemas import Message, ReceiptMessage
from schemas.base import rfc3339
from schemas.envelope import family_of
from schemas.errors import Fault, InvalidMessage, PublishNacked, TranslationError
from schemas.view import View

# A file that fails while it is so young may still be being written by somebody who does not rename.
_SETTLING_S = 2.0
_WAIT_MAX_S = 10.0
FALLBACK_FORMAT = "cloudevents"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where an agency's documents lie. All but inbox and outbox stand beside the inbox."""

    inbox: Path
    outbox: Path

    @property
    def kept(self) -> Path:
        """Documents whose messages RabbitMQ confirmed, by fingerprint."""
        return self.inbox.parent / "kept"

    @property
    def failed(self) -> Path:
        """Documents that could not be taken, each with its reason beside it."""
        return self.inbox.parent / "failed"

    @property
    def sent(self) -> Path:
        """A note for each message that has no receipt yet."""
        return self.inbox.parent / "sent"

    @property
    def receipts(self) -> Path:
        """What became of each document's messages."""
        return self.inbox.parent / "receipts"

    def make(self) -> None:
        """Make those that are not there, and clear away what a killed process left half-written."""
        for folder in (self.inbox, self.outbox, self.kept, self.failed, self.sent, self.receipts):
            folder.mkdir(parents=True, exist_ok=True)
            if folder is not self.inbox:
                # What a process that was killed was just writing; the inbox is for others to write in.
                for left in folder.glob(".*.tmp"):
                    left.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that others see all of it or nothing, and so that it survives a power cut."""
    temporary = path.with_name(f".{path.name[-100:]}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def safe_name(text: str, limit: int = 60) -> str:
    """Turn any text into part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[:limit] or "x"


class Runner:
    """One agency's adapter."""

    def __init__(self, settings: Settings, adapter: Adapter, client: Client, key: SigningKey | None = None) -> None:
        self._client = client
        self._adapter = adapter
        self._key = key
        self._limits = settings.limits
        self._zone = ZoneInfo(adapter.zone)
        self._reads = [by_name(name) for name in adapter.reads]
        self._writes = by_name(adapter.writes)
        self._fallback = by_name(FALLBACK_FORMAT)
        self.folders = Folders(adapter.inbox, adapter.outbox)
        self._stopping = asyncio.Event()

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
            try:
                for path in self._waiting():
                    await self._take(path)
                    if self._stopping.is_set():
                        return
                wait_s = self._adapter.poll_s
            except (PublishNacked, OSError) as error:
                # Our queue is full or the disk is: nothing is lost by waiting.
                log.warning("message.held", agency=self._adapter.agency, reasons=[_words(error)], wait_s=wait_s)
                wait_s = min(max(wait_s, 0.1) * 2, _WAIT_MAX_S)
            await asyncio.sleep(wait_s)

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
        return [path for _, _, path in sorted(found)]

    async def _take(self, path: Path) -> None:
        """Publish what a document says, then keep it."""
        try:
            stat = path.stat()
            if stat.st_size > self._limits.document_bytes:
                text = f"{stat.st_size} bytes; this adapter reads at most {self._limits.document_bytes}"
                raise TranslationError([Fault("too-large", "", text)])
            content = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return
        except TranslationError as error:
            self._fail(path, None, error.faults)
            return
        document = Document(content, max_bytes=self._limits.document_bytes)
        try:
            translator, found = await asyncio.to_thread(self._read, document, path)
        except TranslationError as error:
            if time.time() - stat.st_mtime > _SETTLING_S:
                self._fail(path, document, error.faults)
            return
        except Exception:
            log.exception("message.internal_error", agency=self._adapter.agency, sha256=document.sha256)
            self._fail(path, document, [Fault("internal-error", "", "a fault of cbm's own; see the adapter's log")])
            return
        log.info(
            "document.taken",
            agency=self._adapter.agency,
            document=path.name,
            format=translator.name,
            sha256=document.sha256,
            messages=len(found),
        )
        for message in found:
            self._note_sent(message, path, document)
            await self._client.publish(message)
            log.info("message.published", **_about(self._adapter.agency, message))
        self._keep(path, document)

    def _read(self, document: Document, path: Path) -> tuple[Translator, list[Message]]:
        translator, _ = recognise(document, among=self._reads)
        origin = Origin(self._adapter.agency, self._first_seen(document, path), self._zone)
        found = messages(translator, document, origin)
        if self._key is not None:
            try:
                found = [sign_message(one, self._key, by_field=self._adapter.sign_by_field) for one in found]
            except InvalidMessage as error:
                raise TranslationError(error.faults) from None
        for message in found:
            if (size := len(message.to_bytes())) > self._limits.message_bytes:
                text = f"its message would have {size} bytes; a message has at most {self._limits.message_bytes}"
                raise TranslationError([Fault("too-large", "", text)])
        return translator, found

    def _first_seen(self, document: Document, path: Path) -> datetime:
        """When these bytes were first seen, written down before anything is published.

        A document read again after a crash must make the same messages to the last byte.
        """
        folder = self._kept_folder(document)
        note = folder / "note.json"
        try:
            return datetime.fromisoformat(json.loads(note.read_text())["received"])
        except (FileNotFoundError, ValueError, KeyError):
            received = datetime.now(UTC).replace(microsecond=0)
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(note, json.dumps({"received": rfc3339(received), "name": path.name}).encode())
            return received

    def _kept_folder(self, document: Document) -> Path:
        return self.folders.kept / document.sha256[:2] / document.sha256

    def _keep(self, path: Path, document: Document) -> None:
        path.replace(self._kept_folder(document) / ("document" + path.suffix[:16]))
        log.info("document.kept", agency=self._adapter.agency, document=path.name, sha256=document.sha256)

    def _fail(self, path: Path, document: Document | None, faults: Any) -> None:
        """Put a document aside, its reason first, so that none lies there unexplained."""
        name = path.name
        if (self.folders.failed / name).exists():
            name = f"{path.stem}.{time.time_ns()}{path.suffix}"
        reason = {
            "document": path.name,
            "sha256": document.sha256 if document is not None else None,
            "faults": [fault.as_json() for fault in faults],
        }
        write_whole(self.folders.failed / f"{name}.reason.json", json.dumps(reason, indent=1).encode() + b"\n")
        path.replace(self.folders.failed / name)
        codes = [fault.code for fault in faults]
        log.warning("document.failed", agency=self._adapter.agency, document=path.name, faults=codes)

    def _note_sent(self, message: Message, path: Path, document: Document) -> None:
        note = {
            "document": path.name,
            "sha256": document.sha256,
            "id": message.id,
            "type": message.type,
            "subject": message.subject,
        }
        write_whole(self.folders.sent / f"{safe_name(message.id)}.json", json.dumps(note).encode())

    async def _receipts(self) -> None:
        async for received in self._client.inbox("receipt"):
            await self._held(functools.partial(self._settle_receipt, received))
            received.ack()

    def _settle_receipt(self, received: Received) -> None:
        """Put a receipt beside the others; what was not accepted also goes to `failed/`, with its document."""
        try:
            message = received.message
        except InvalidMessage:
            return
        if not isinstance(message, ReceiptMessage):
            return
        receipt = message.data
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
        note_path = self.folders.sent / f"{safe_name(receipt.of.id)}.json"
        try:
            note = json.loads(note_path.read_text())
        except (FileNotFoundError, ValueError):
            note = {"id": receipt.of.id}
        full = note | {"receipt": receipt.model_dump(mode="json", exclude_none=True)}
        content = json.dumps(full, indent=1).encode() + b"\n"
        name = f"{safe_name(note.get('document', 'message'))}.{safe_name(receipt.of.id)}.{receipt.disposition}.json"
        write_whole(self.folders.receipts / name, content)
        if receipt.disposition not in ("accepted", "duplicate") and "sha256" in note:
            self._copy_to_failed(note, content)
        note_path.unlink(missing_ok=True)

    def _copy_to_failed(self, note: dict[str, Any], reason: bytes) -> None:
        folder = self.folders.kept / note["sha256"][:2] / note["sha256"]
        for kept in folder.glob("document*"):
            write_whole(self.folders.failed / f"{note['document']}.reason.json", reason)
            write_whole(self.folders.failed / note["document"], kept.read_bytes())

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
            content = received.body if translator is self._fallback else translator.write(message)
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
