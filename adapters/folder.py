"""An agency's folders on the disk, and files that are there whole or not at all.

Owns where documents lie and how they are written. Never reads a document.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

# What we put into an inbox ourselves, whole.
WHOLE_PREFIX = "http-"
# File systems hold names of 255 bytes; what is added to a document's (time, id, `.reason.json`) fits behind this.
_NAME_BYTES = 160


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


def short_name(name: str) -> str:
    """Return a file's name, cut before its suffix where it is so long that nothing could be added to it."""
    raw = os.fsencode(name)
    if len(raw) <= _NAME_BYTES:
        return name
    suffix = Path(name).suffix
    start = raw[: _NAME_BYTES - 40].decode(errors="ignore")
    return f"{start}-{_digest(raw)}{suffix if len(os.fsencode(suffix)) <= 16 else ''}"


def key_name(key: str) -> str:
    """Turn an identifier into a file name of its own: no two of them share one."""
    name = safe_name(key)
    return name if name == key else f"{name[:48]}-{_digest(key.encode())}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def safe_name(text: str, limit: int = 60) -> str:
    """Turn any text into part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[:limit] or "x"
