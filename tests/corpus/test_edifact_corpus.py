"""EDIFACT against real interchanges of carriers, terminals and airlines, some of them broken on purpose."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.document import Document, Findings, Origin
from adapters.edifact import TRANSLATORS
from adapters.edifact_syntax import chunks_of, segments
from adapters.formats import recognise
from adapters.profile import NEUTRAL
from adapters.translator import messages
from schemas.envelope import parse
from schemas.errors import TranslationError

ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
# Code lists and message definitions beside the interchanges.
OTHERS = {".json", ".xml", ".md"}
# Types that no translator reads: commercial papers, stowage plans, schedules, bookings, toys.
READ = {
    "edifact-cuscar": (3, 5),
    "edifact-coprar": (2, 3),
    "edifact-codeco": (1, 1),
    "edifact-paxlst": (13, 25),
    "edifact-pnrgov": (22, 44),
}
# Its one status is a code of a private list, which only a profile can say the meaning of.
REFUSED = {"d00b_iftsta.edi": "no-event"}
# What a list of persons tells of them, in words that occur in these documents.
PERSONAL = ("DJEMFISJER", "MULLERSFER", "ERFADFEFW", "AOMAD", "KETI", "LOBB", "ACKARY", "VANDENBERG", "BELT", "8675309")


@pytest.fixture(scope="module")
def documents(corpus: Path) -> dict[str, Document]:
    found = sorted(one for one in (corpus / "edifact").rglob("*") if one.is_file() and one.suffix not in OTHERS)
    assert len(found) >= 84
    return {str(one.relative_to(corpus / "edifact")): Document(one.read_bytes()) for one in found}


def test_every_interchange_comes_apart_into_its_segments(documents: dict[str, Document]) -> None:
    charsets = NEUTRAL.table("edifact", "charset")
    for name, document in documents.items():
        found = list(segments(chunks_of(document.content), Findings(), charsets))
        assert found[0].tag in ("UNB", "UNH"), name
        assert found[-1].tag in ("UNZ", "UNT"), name
        for one in found:
            assert one.tag.isascii(), name
            assert one.tag.isalnum(), name


def test_every_interchange_of_a_type_that_is_read_is_read(documents: dict[str, Document]) -> None:
    counted: dict[str, list[int]] = {}
    unknown: Counter[str] = Counter()
    refused: dict[str, str] = {}
    for name, document in documents.items():
        try:
            translator, _ = recognise(document)
        except TranslationError as error:
            unknown[error.faults[0].code] += 1
            continue
        try:
            found = messages(translator, document, ORIGIN)
        except TranslationError as error:
            refused[name.rpartition("/")[2]] = error.faults[0].code
            continue
        assert found, name
        for message in found:
            assert parse(message.to_bytes()) == message
        row = counted.setdefault(translator.name, [0, 0])
        row[0] += 1
        row[1] += len(found)
    assert {name: tuple(row) for name, row in counted.items()} == READ
    assert set(unknown) == {"unknown-format"}
    assert refused == REFUSED


def test_every_reader_takes_or_refuses_every_file_with_a_reason(corpus: Path) -> None:
    for path in sorted((corpus / "edifact").rglob("*")):
        if not path.is_file():
            continue
        document = Document(path.read_bytes())
        for translator in TRANSLATORS:
            try:
                messages(translator, document, ORIGIN)
            except TranslationError as error:
                assert error.faults  # noqa: PT017 (either outcome is right)


def test_nothing_of_a_person_leaves_a_list_of_persons(documents: dict[str, Document]) -> None:
    for name, document in documents.items():
        if not any(one in name for one in ("pnr-messages", "apis-messages", "testfiles", "paxlst")):
            continue
        translator, _ = recognise(document)
        told = b"".join(one.to_bytes() for one in messages(translator, document, ORIGIN)).decode()
        assert not [one for one in PERSONAL if one in told], name


def test_no_foreign_document_is_claimed(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*")):
        inside = path.relative_to(corpus).parts[0]
        if not path.is_file() or inside == "edifact" or path.stat().st_size > 2_000_000:
            continue
        document = Document(path.read_bytes())
        assert not [one.name for one in TRANSLATORS if one.recognise(document)], path
