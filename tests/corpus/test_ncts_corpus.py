"""Real transit messages, and their schemas as the judge of what is written and of the tests' own samples."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from lxml import etree

from adapters.document import Document, Origin
from adapters.formats import recognise
from adapters.ncts_codes import GUARANTEE_MESSAGES, KINDS
from adapters.translator import messages
from schemas import ShipmentMessage, parse
from schemas.errors import TranslationError
from tests.transit import ANSWERS, NCTS, OTHERS, read, read_one
from tests.unit.test_ncts import decisions

ORIGIN = Origin("gb.customs", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Europe/London"))
# Why a real document is refused: what names no movement cannot be joined with anything.
REFUSED = {
    "cc014c-invalid-message-sender.xml": {"no-reference"},
    "cc014c-invalid.xml": {"no-reference"},
}


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    found = corpus / "ncts"
    if not found.is_dir():
        pytest.skip("this corpus has no ncts")
    return found


class Schemas(dict[str, etree.XMLSchema]):
    """The schema of each message, compiled when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.paths = {path.stem.upper(): path for path in folder.rglob("cc*.xsd")}

    def __missing__(self, name: str) -> etree.XMLSchema:
        self[name] = etree.XMLSchema(etree.parse(self.paths[name]))
        return self[name]

    def errors(self, content: bytes) -> list[str]:
        root = etree.fromstring(content)
        schema = self[etree.QName(root).localname]
        return [] if schema.validate(root) else [str(schema.error_log)]


@pytest.fixture(scope="module")
def schemas(folder: Path) -> Schemas:
    return Schemas(folder)


def documents(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("data/*") if path.suffix in (".xml", ".json"))


def test_every_real_document_is_known_and_the_wire_takes_its_messages(folder: Path) -> None:
    refused = {}
    for path in documents(folder):
        document = Document(path.read_bytes())
        assert recognise(document) == (NCTS, 1), path
        try:
            found = messages(NCTS, document, ORIGIN)
        except TranslationError as error:
            refused[path.name] = {fault.code for fault in error.faults}
            continue
        for message in found:
            assert parse(message.to_bytes()) == message, path
    assert refused == {name: codes for name, codes in REFUSED.items() if name in refused}


def test_what_the_corpus_calls_invalid_is_not_read_without_a_warning(folder: Path) -> None:
    """But for a recipient: earlier schemas allow what is wrong there."""
    for path in documents(folder):
        if "-invalid" in path.name and path.name not in REFUSED and "recipient" not in path.name:
            for message in messages(NCTS, Document(path.read_bytes()), ORIGIN):
                assert isinstance(message, ShipmentMessage)
                assert message.data.native is not None
                assert message.data.native.warnings, path


def test_nothing_else_of_the_folder_is_taken_for_a_transit_message(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in documents(folder):
            assert NCTS.recognise(Document(path.read_bytes())) == 0, path


def test_every_message_that_has_a_schema_is_known(schemas: Schemas) -> None:
    assert set(schemas.paths) <= set(KINDS)
    assert set(KINDS) - set(schemas.paths) <= {"CC140C", "CC141C", *GUARANTEE_MESSAGES}


@pytest.mark.parametrize("name", ANSWERS | OTHERS)
def test_the_samples_are_valid_under_the_schemas(name: str, schemas: Schemas) -> None:
    assert schemas.errors((ANSWERS | OTHERS)[name][0]) == []


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_written_is_valid_under_the_schema(name: str, schemas: Schemas) -> None:
    assert schemas.errors(NCTS.write(read_one(ANSWERS[name][0]))) == []


@settings(max_examples=150, deadline=None)
@given(decisions())
def test_whatever_is_written_is_valid_under_its_schema(folder: Path, message: Any) -> None:
    try:
        written = NCTS.write(message)
    except TranslationError:
        return
    assert _SCHEMAS.setdefault(folder, Schemas(folder)).errors(written) == []


_SCHEMAS: dict[Path, Schemas] = {}


def test_a_real_decision_that_can_be_written_comes_back_the_same(folder: Path) -> None:
    for path in documents(folder):
        try:
            found = messages(NCTS, Document(path.read_bytes()), ORIGIN)
        except TranslationError:
            continue
        for message in found:
            try:
                (again,) = read(NCTS.write(message), ORIGIN)
            except TranslationError:
                continue
            assert again.data.model_copy(update={"native": None}) == message.data.model_copy(update={"native": None})
