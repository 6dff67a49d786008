"""Documents too large to be held: read twice, in memory that does not grow with them.

Owns the two readings: one that checks all of it, so that a document is still taken whole or not at all, and one
that yields its messages. Only for formats whose translator can stream. Never publishes.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.document import Document, Findings, Origin
from adapters.formats import THRESHOLD
from adapters.mail import is_mail
from adapters.translator import Draft, Fingerprint, Streaming, Translator, complete
from schemas import Message
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, TranslationError
from schemas.shipment import Remark

# So much of it tells the format.
_HEAD_BYTES = 64 * 1024
_CHUNK_BYTES = 256 * 1024


Progress = Callable[[int], None]


def _untold(_: int) -> None:
    """Where nobody asks."""


@dataclass(frozen=True, slots=True)
class Large:
    """A large document, once it was looked through."""

    path: Path
    of: Fingerprint
    count: int
    """How many messages it makes."""
    warnings: tuple[Remark, ...]
    """What was odd about it; the first message says so."""


def recognised(path: Path, among: list[Translator]) -> Translator | None:
    """Return the format of a large document, of those that can stream; None where it is none of them."""
    with path.open("rb") as file:
        head = Document(file.read(_HEAD_BYTES))
    if is_mail(head):
        # It is taken apart first, which takes holding it.
        return None
    streaming = [(one.recognise(head), one) for one in among if isinstance(one, Streaming)]
    sure, best = max(streaming, key=lambda pair: pair[0], default=(0.0, None))
    return best if sure >= THRESHOLD else None


def fingerprint(path: Path, format_: str) -> Fingerprint:
    """Return the fingerprint of a file, read in pieces."""
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return Fingerprint(format_, digest.hexdigest(), size)


def check(
    path: Path,
    translator: Translator,
    of: Fingerprint,
    origin: Origin,
    message_bytes: int,
    progress: Progress = _untold,
) -> Large:
    """Read all of a document and make every message of it, keeping none; `progress` is told the bytes read so far.

    Raises:
        TranslationError: with every fault, those of its messages included.
    """
    findings, faults, count = Findings(), list[Fault](), 0
    drafts = _drafts(translator, path, origin, findings, progress)
    while len(faults) < MAX_FAULTS:
        try:
            draft = next(drafts, None)
            if draft is None:
                break
            size = len(complete(draft, draft.id or message_id(of, count), of, (), origin).to_bytes())
            if size > message_bytes:
                text = f"its message would have {size} bytes; a message has at most {message_bytes}"
                faults.append(Fault("too-large", f"message {count + 1}", text))
        except TranslationError as error:
            faults += error.faults
        count += 1
    if faults:
        raise TranslationError(faults[:MAX_FAULTS])
    return Large(path, of, count, tuple(findings.warnings))


def messages(large: Large, translator: Translator, origin: Origin, progress: Progress = _untold) -> Iterator[Message]:
    """Yield the messages of a document that was checked, in order."""
    for index, draft in enumerate(_drafts(translator, large.path, origin, Findings(), progress)):
        warnings = large.warnings if index == 0 else ()
        yield complete(draft, draft.id or message_id(large.of, index), large.of, warnings, origin)


def message_id(of: Fingerprint, index: int) -> str:
    """Return the id of a large document's message: its fingerprint's first half, and the number."""
    return f"{of.sha256[:32]}-{index}"


def _drafts(
    translator: Translator, path: Path, origin: Origin, findings: Findings, progress: Progress
) -> Iterator[Draft]:
    assert isinstance(translator, Streaming)
    return translator.stream(_chunks(path, progress), origin, findings)


def _chunks(path: Path, progress: Progress = _untold) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
            done += len(chunk)
            progress(done)
