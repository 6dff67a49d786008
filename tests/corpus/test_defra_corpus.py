"""Defra's own fixtures: every message is read, and every decision is written and read again as the same one."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.defra import TRANSLATORS
from adapters.document import Document, Origin
from adapters.formats import by_name, recognise
from adapters.profile import UK
from adapters.translator import messages
from schemas.envelope import parse
from schemas.errors import TranslationError

ORIGIN = Origin("gb.customs", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Europe/London"), UK)
NAMES = {translator.name for translator in TRANSLATORS}
# Lists of events whose messages were blacked out before they were published, a decision on nothing, and errors
# that do not say which declaration they are about.
REFUSED = {("no-content",): 5, ("empty",): 1, ("no-identifier",): 1}
# Schemas, answers of a web service (`StatusCode` alone), a search for certificates, and listings that look like JSON
# and are none.
FOREIGN = 15


def files(corpus: Path) -> list[Path]:
    return [path for path in sorted((corpus / "uk-border-defra").rglob("*")) if path.is_file()]


def read(path: Path) -> tuple[str, list[Any]] | None:
    """The format and the messages; None where it is of no format or of none of these."""
    document = Document(path.read_bytes())
    try:
        translator, _ = recognise(document)
    except TranslationError:
        return None
    return (translator.name, messages(translator, document, ORIGIN)) if translator.name in NAMES else None


def test_every_document_is_read_or_refused_for_a_reason_that_we_know(corpus: Path) -> None:
    refused: Counter[tuple[str, ...]] = Counter()
    foreign = 0
    formats: Counter[str] = Counter()
    for path in files(corpus):
        try:
            found = read(path)
        except TranslationError as error:
            refused[tuple(sorted({fault.code for fault in error.faults}))] += 1
            continue
        if found is None:
            foreign += 1
            continue
        formats[found[0]] += 1
        for message in found[1]:
            assert parse(message.to_bytes()) == message
            assert message.data.native.format == found[0]
    assert refused == REFUSED
    assert foreign == FOREIGN
    assert formats.keys() == NAMES


def test_every_decision_is_written_and_read_as_the_same(corpus: Path) -> None:
    compared = 0
    for path in files(corpus):
        try:
            found = read(path)
        except TranslationError:
            continue
        for message in found[1] if found is not None else []:
            if not message.data.decision or not message.data.decision.item:
                continue
            if "mrn-form" in {warning.code for warning in message.data.native.warnings or []}:
                continue
            for name in ("defra-decision", "defra-decision-json"):
                (again,) = messages(by_name(name), Document(by_name(name).write(message, UK)), ORIGIN)
                assert again.data.model_copy(update={"native": None}) == message.data.model_copy(
                    update={"native": None}
                )
                assert (again.type, again.subject) == (message.type, message.subject)
                compared += 1
    assert compared >= 20


def test_no_document_of_another_folder_is_claimed(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and "uk-border-defra" not in path.parts:
            document = Document(path.read_bytes(), max_bytes=100 * 1024 * 1024)
            for translator in TRANSLATORS:
                assert translator.recognise(document) == 0, f"{translator.name} claims {path.name}"
