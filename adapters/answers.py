"""What an agency's own partners are answered: a CONTRL for an interchange, a receipt in a format of theirs.

Owns writing answers to the outbox, beside what the agency receives. Never decides what became of anything.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from adapters.document import Document
from adapters.edifact_acknowledge import acknowledge
from adapters.folder import safe_name, write_whole
from adapters.profile import Profile
from adapters.translator import Translator
from schemas import ReceiptMessage
from schemas.errors import Fault, TranslationError


class Answers:
    """The answers of one adapter; those that are not asked for are not written."""

    def __init__(self, outbox: Path, receipts: Translator | None, *, acknowledges: bool) -> None:
        self._outbox = outbox
        self._receipts = receipts
        self._acknowledges = acknowledges

    def to_document(self, document: Document, faults: Sequence[Fault], received: datetime, profile: Profile) -> None:
        """Acknowledge or reject an interchange; what is none, or cannot be answered, is passed over."""
        if not self._acknowledges or document.looks_like_xml:
            return
        try:
            content = acknowledge(document, faults, received, profile)
        except TranslationError:
            return
        # The same document again gets the same answer, in the same file.
        write_whole(self._outbox / f"{received:%Y%m%dT%H%M%SZ}-contrl-{document.sha256[:12]}.edi", content)

    def to_receipt(self, message: ReceiptMessage, profile: Profile) -> None:
        """Write a receipt in the format that the agency asked for."""
        if self._receipts is None:
            return
        try:
            content = self._receipts.write(message, profile)
        except TranslationError:
            return
        of = message.data.of
        unique = hashlib.sha256(of.id.encode()).hexdigest()[:12]
        key = safe_name(message.subject, 40)
        name = f"{message.time:%Y%m%dT%H%M%SZ}-receipt-{message.data.disposition}-{key}-{unique}"
        write_whole(self._outbox / f"{name}{self._receipts.suffix}", content)
