"""An agency's folders on the disk, and files that are there whole or not at all.

Owns where documents lie and how they are written. Never reads a document.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

# What we put into an inbox ourselves, whole.
WHOLE_PREFIX = "http-"


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
