"""Who waits for what becomes of a document: the runner tells, whoever handed the document in listens.

Owns nothing that lasts: what became of each document stands in the agency's folders.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from schemas import Message
from schemas.errors import Fault
from schemas.receipt import Receipt


@dataclass
class Progress:
    """What is known of one document so far."""

    name: str
    sha256: str = ""
    format: str = ""
    faults: Sequence[Fault] = ()
    """Why it could not be taken."""
    messages: dict[str, Message] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it failed, or when every message has its receipt."""

    @property
    def accepted(self) -> bool:
        """Whether every message was accepted, now or before."""
        dispositions = {receipt.disposition for receipt in self.receipts.values()}
        return bool(dispositions) and dispositions <= {"accepted", "duplicate"} and not self.faults

    def as_json(self) -> dict[str, Any]:
        """Return it as told to whoever handed the document in."""
        told: dict[str, Any] = {"document": self.name}
        if self.sha256:
            told |= {"sha256": self.sha256}
        if self.faults:
            told["faults"] = [fault.as_json() for fault in self.faults]
        if not self.messages:
            return told
        first = next(iter(self.messages.values()))
        native = getattr(first.data, "native", None)
        warnings = native.warnings if native is not None else None
        told |= {"format": self.format, "warnings": [one.model_dump(mode="json") for one in warnings or ()]}
        told["messages"] = [
            {"id": id_, "type": message.type, "subject": message.subject}
            | (
                {"receipt": self.receipts[id_].model_dump(mode="json", exclude_none=True)}
                if id_ in self.receipts
                else {}
            )
            for id_, message in self.messages.items()
        ]
        return told


class Watch:
    """The documents that somebody waits for. Used from one event loop."""

    def __init__(self) -> None:
        self._by_name: dict[str, Progress] = {}
        self._by_id: dict[str, list[Progress]] = {}

    @contextmanager
    def over(self, name: str) -> Iterator[Progress]:
        """Follow the document of that file name while within."""
        progress = self._by_name[name] = Progress(name)
        try:
            yield progress
        finally:
            del self._by_name[name]
            for id_ in progress.messages:
                waiting = self._by_id.get(id_, [])
                if progress in waiting:
                    waiting.remove(progress)
                if not waiting:
                    self._by_id.pop(id_, None)

    def failed(self, name: str, sha256: str, faults: Sequence[Fault]) -> None:
        """The document could not be taken."""
        progress = self._by_name.get(name)
        if progress is not None:
            progress.sha256, progress.faults = sha256, faults
            progress.ended.set()

    def taken(self, name: str, sha256: str, format_: str, messages: Sequence[Message]) -> None:
        """The document was read into messages, which are about to be published."""
        progress = self._by_name.get(name)
        if progress is None:
            return
        progress.sha256, progress.format = sha256, format_
        for message in messages:
            progress.messages[message.id] = message
            self._by_id.setdefault(message.id, []).append(progress)

    def kept(self, name: str) -> None:
        """The document is kept; of a large one nobody waits for every receipt."""
        progress = self._by_name.get(name)
        if progress is not None and not progress.messages:
            progress.ended.set()

    def settled(self, receipt: Receipt) -> None:
        """A message has its receipt."""
        for progress in self._by_id.get(receipt.of.id, ()):
            progress.receipts[receipt.of.id] = receipt
            if progress.receipts.keys() >= progress.messages.keys():
                progress.ended.set()
