"""What an adapter writes down beside its documents: when each was first seen, what was sent of it, what became of it.

Owns the files in `kept/`, `sent/`, `receipts/` and `failed/`, under names that fit whatever a document or a message
is called. Never reads a document, never publishes.
"""

import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.folder import Folders, key_name, safe_name, short_name, write_whole
from schemas import Message, Receipt
from schemas.base import rfc3339
from schemas.errors import Fault

_LARGE_ID = re.compile(r"[0-9a-f]{32}-[0-9]+")
# Their sender need not do anything about these.
_SETTLED = ("accepted", "duplicate")


class Notes:
    """The notes of one adapter. Every step may be repeated after a crash, and then writes the same."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def kept_folder(self, sha256: str) -> Path:
        """Return where the document of that fingerprint is kept, and its note."""
        return self._folders.kept / sha256[:2] / sha256

    def first_seen(self, sha256: str, name: str) -> datetime:
        """Return when these bytes were first seen, written down before anything is published.

        A document read again after a crash must make the same messages to the last byte.
        """
        folder = self.kept_folder(sha256)
        note = folder / "note.json"
        try:
            return datetime.fromisoformat(json.loads(note.read_text())["received"])
        except (FileNotFoundError, ValueError, KeyError):
            received = datetime.now(UTC).replace(microsecond=0)
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(note, json.dumps({"received": rfc3339(received), "name": name}).encode())
            return received

    def keep(self, path: Path, sha256: str) -> None:
        """Put a document whose messages are confirmed under its fingerprint."""
        folder = self.kept_folder(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / ("document" + path.suffix[:16]))

    def keep_part(self, content: bytes, sha256: str) -> None:
        """Put a document that came within another one under its own fingerprint."""
        write_whole(self.kept_folder(sha256) / "document", content)

    def put_aside(self, path: Path, sha256: str | None, faults: Sequence[Fault]) -> None:
        """Put a document into `failed/`, its reason first, so that none lies there unexplained."""
        name = short_name(path.name)
        if (self._folders.failed / name).exists():
            name = f"{Path(name).stem}.{time.time_ns()}{Path(name).suffix}"
        reason = {"document": path.name, "sha256": sha256, "faults": [fault.as_json() for fault in faults]}
        write_whole(self._folders.failed / f"{name}.reason.json", _pretty(reason))
        path.replace(self._folders.failed / name)

    def sent(self, message: Message, document: str, sha256: str) -> None:
        """Write down of which document a message is, until its receipt comes."""
        note = {
            "document": document,
            "sha256": sha256,
            "id": message.id,
            "type": message.type,
            "subject": message.subject,
        }
        write_whole(self._sent(message.id), json.dumps(note).encode())

    def settled(self, receipt: Receipt) -> None:
        """Put a receipt beside the others; what was not accepted also goes to `failed/`, with its document."""
        id_, accepted = receipt.of.id, receipt.disposition in _SETTLED
        if _LARGE_ID.fullmatch(id_) and accepted:
            # A file for each would be a hundred thousand; the ledger has them all.
            line = json.dumps({"id": id_, "disposition": receipt.disposition}) + "\n"
            with (self._folders.receipts / f"{id_[:32]}.ndjson").open("a") as file:
                file.write(line)
            return
        try:
            note = json.loads(self._sent(id_).read_text())
        except (FileNotFoundError, ValueError):
            note = {"id": id_}
        content = _pretty(note | {"receipt": receipt.model_dump(mode="json", exclude_none=True)})
        name = f"{safe_name(note.get('document', 'message'))}.{key_name(id_)}.{receipt.disposition}.json"
        write_whole(self._folders.receipts / name, content)
        if not accepted and "sha256" in note:
            self._copy_to_failed(note, content)
        self._sent(id_).unlink(missing_ok=True)

    def _sent(self, id_: str) -> Path:
        return self._folders.sent / f"{key_name(id_)}.json"

    def _copy_to_failed(self, note: dict[str, Any], reason: bytes) -> None:
        name = short_name(note["document"])
        for kept in self.kept_folder(note["sha256"]).glob("document*"):
            write_whole(self._folders.failed / f"{name}.reason.json", reason)
            write_whole(self._folders.failed / name, kept.read_bytes())


def _pretty(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode() + b"\n"
