"""`cbm convert`: a document to its messages, or a message to a document, offline.

Owns the command. Reads as an adapter does (e-mails taken apart, large documents in pieces), and never sends or
keeps anything.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from adapters import large
from adapters.codelists import built_in, kept
from adapters.document import MAX_DOCUMENT_BYTES, Document, Findings, Origin
from adapters.events import split
from adapters.formats import FALLBACK_FORMAT, FORMATS, Found, by_name, documents_in, read_all
from adapters.profile import chosen
from adapters.translator import Streaming, Translator
from broker.cli.common import check_agency, note, out, print_faults, read_input, write
from schemas import Message, parse
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, InvalidMessage, NotFound

# The agency in whose name messages are written where none is given: nobody's.
_NOBODY = "xx.convert"
# The contract's limit of a message.
_MESSAGE_BYTES = 1024 * 1024
_PROGRESS_S = 5.0


def convert(
    file: Annotated[Path | None, typer.Argument(help="A document or a message; `-` or nothing: stdin.")] = None,
    to: Annotated[str, typer.Option(help="The format to write; without it, a document becomes messages.")] = "",
    from_: Annotated[str, typer.Option("--from", help="The document's format; else it is found by content.")] = "",
    agency: Annotated[str, typer.Option("--as", help="The agency whose document it is.")] = _NOBODY,
    zone: Annotated[str, typer.Option(help="The zone of times that name none, e.g. Asia/Seoul.")] = "UTC",
    profile: Annotated[str, typer.Option(help="What codes mean: neutral, uk, or a folder such as ./kr.")] = "neutral",
    lists: Annotated[Path | None, typer.Option("--codes", help="A folder of imported code lists.")] = None,
) -> None:
    """Translate offline: a document to its messages (NDJSON), or a message to a document. Sends nothing.

    Without --to, messages come out. With --to, each message is written in that format, one document
    after the other; for several use one message at a time.
    """
    check_agency(agency)
    writer = _format(to) if to else None
    if writer is not None and not writer.can_write:
        raise NotFound(f"{to} can be read, not written")
    received = datetime.now(UTC).replace(microsecond=0)
    meaning = chosen(profile)
    given = None if file is None or str(file) == "-" else file
    if given is not None and given.is_file():
        received = datetime.fromtimestamp(int(given.stat().st_mtime), UTC)
    origin = Origin(agency, received, _zone(zone), meaning, kept(lists) if lists is not None else built_in())
    for message in _messages_of(given, from_, origin):
        if writer is None:
            out(message.to_bytes())
        else:
            write(writer.write(message, meaning))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise typer.BadParameter(f"{name!r} is no IANA time zone") from None


def _format(name: str) -> Translator:
    if name not in FORMATS:
        raise NotFound(f"there is no format {name}; known are {', '.join(sorted(FORMATS))}")
    return by_name(name)


def _messages_of(file: Path | None, from_: str, origin: Origin) -> Iterable[Message]:
    """Read all of a document before its first message is told; the messages of a large one are made as they go."""
    among = [_format(from_)] if from_ else list(FORMATS.values())
    if file is not None and file.is_file() and file.stat().st_size > MAX_DOCUMENT_BYTES:
        translator = large.recognised(file, among)
        if translator is not None:
            return _of_large(file, translator, origin)
    content = read_input(file)
    document = Document(content)
    found = [Found(document, among[0], 1.0)] if from_ else documents_in(document)
    for one in found:
        where = f"{one.place}: " if one.place else ""
        note(f"{where}{one.translator.title} ({one.translator.name}), {one.sure:.0%} sure")
    if found[0].translator.name == FALLBACK_FORMAT and len(found) == 1:
        return _events(found[0].document.content)
    result: list[Message] = []
    for read in read_all(found, lambda _: origin):
        for message in read[:1]:
            native = getattr(message.data, "native", None)
            warnings = native.warnings if native is not None else None
            print_faults(Fault(w.code, w.pointer, w.detail) for w in warnings or ())
        result += read
    return result


def _of_large(file: Path, translator: Translator, origin: Origin) -> Iterable[Message]:
    assert isinstance(translator, Streaming)
    size = file.stat().st_size
    note(f"{translator.title} ({translator.name}), {size / 1e6:.0f} MB: read in pieces, twice")
    of = large.fingerprint(file, translator.name)
    found = large.check(file, translator, of, origin, _MESSAGE_BYTES, _progress(size))
    note(f"looked through: {found.count} messages")
    print_faults(Fault(w.code, w.pointer, w.detail) for w in found.warnings)
    return large.messages(found, translator, origin, _progress(size))


def _progress(size: int) -> Callable[[int], None]:
    """Say every few seconds how much was read."""
    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _PROGRESS_S:
            told = time.monotonic()
            note(f"{done / 1e6:.0f} MB of {size / 1e6:.0f}")

    return tell


def _events(content: bytes) -> list[Message]:
    """Messages already: read as they are, whoever their source is, and whether they are signed.

    Raises:
        TranslationError: with the faults of every one that has some.
    """
    findings = Findings()
    result: list[Message] = []
    for place, body in split(content, findings):
        try:
            result.append(parse(body))
        except InvalidMessage as error:
            for fault in error.faults:
                findings.fault(fault.code, place + fault.pointer, fault.detail)
        if len(findings.faults) > MAX_FAULTS:
            findings.fault("more-faults", place, "further events were not looked at")
            break
    findings.settle()
    return result
