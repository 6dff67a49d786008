"""Real entry summary declarations against two outside judges: the ICS schemas, and HMRC's expected errors."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from lxml import etree

from adapters.document import Document, Element, Origin, local_name
from adapters.ens import TRANSLATORS
from adapters.ens_check import check, messages_of
from adapters.ens_form import faults_of_form
from adapters.ens_reject import Rejections
from adapters.ens_structures import STRUCTURES
from adapters.translator import messages
from schemas import Message, ShipmentMessage, parse
from schemas.errors import TranslationError
from tests.corpus.ens_oracle import cases, report
from tests.entry_summaries import BRITISH, NEW
from tests.unit.test_ens import ANSWERS
from tests.unit.test_ens_write import HELD, decisions

(ENS,) = TRANSLATORS
ORIGIN = Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
FORMATS = Path(__file__).parents[2] / "docs" / "FORMATS.md"


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    found = corpus / "ics-ens"
    if not found.is_dir():
        pytest.skip("this corpus has no ics-ens")
    return found


@pytest.fixture(scope="module")
def schemas(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, etree.XMLSchema]:
    """The schema of each message; that of CC351A asks for types which lie with those of the other answers."""
    together = tmp_path_factory.mktemp("schemas")
    found = sorted(folder.rglob("schemas/*.xsd"))
    for path in found:
        (together / path.name).write_bytes(path.read_bytes())
    return {
        path.name[:6]: etree.XMLSchema(etree.parse(together / path.name))
        for path in found
        if path.name[:6] in STRUCTURES
    }


def documents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*.xml")):
        yield path, path.read_bytes()


def test_every_real_document_is_read_and_the_wire_takes_its_messages(folder: Path) -> None:
    count = 0
    for path, content in documents(folder):
        document = Document(content)
        assert ENS.recognise(document) == 1, path
        for message in messages(ENS, document, ORIGIN):
            assert parse(message.to_bytes()) == message, path
            count += 1
    assert count >= 1


def test_nothing_else_of_the_folder_is_taken_for_an_entry_summary(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".xml":
            assert ENS.recognise(Document(path.read_bytes())) == 0, path


def test_the_check_finds_the_errors_that_hmrc_expects_where_hmrc_expects_them(corpus: Path, folder: Path) -> None:
    measured = list(cases(corpus))
    assert measured
    assert [case.path for case in measured if not case.agrees] == []


def test_the_table_in_the_documentation_is_that_of_a_fresh_measurement(corpus: Path, folder: Path) -> None:
    told = FORMATS.read_text().partition("<!-- ens-oracle:begin -->\n")[2].partition("\n<!-- ens-oracle:end -->")[0]
    assert told == report(corpus)


def test_our_tables_of_form_agree_with_the_schemas_on_every_document(
    folder: Path, schemas: dict[str, etree.XMLSchema]
) -> None:
    for path, content in documents(folder):
        for message in messages_of(Document(content).xml):
            alone = etree.fromstring(etree.tostring(message))
            valid = schemas[local_name(message)].validate(alone)
            assert valid == (not list(faults_of_form(alone))), path


def test_the_examples_and_invented_answers_are_valid_by_the_schemas(schemas: dict[str, etree.XMLSchema]) -> None:
    examples = sorted((FORMATS.parents[1] / "examples").rglob("ens-*.xml"))
    assert examples
    contents = [path.read_bytes() for path in examples] + [content for content, _ in ANSWERS] + [NEW.encode()]
    for content in contents:
        for message in messages_of(Document(content).xml):
            schemas[local_name(message)].assertValid(etree.fromstring(etree.tostring(message)))


VALUES = (
    "", " ", "0", "x", "KR", "kr", "GB1", "KRPUS", "1.", ".5", "+1", "-1", "0.0000", "1234567890.12", "9" * 12, "A1",
    "202602291200", "202613010000", "260229", "2400", "a b  c", "é" * 36, "26KR1A2B3C4D5E6F75", "CC351A",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(300))
def test_our_tables_of_form_agree_with_the_schemas_on_altered_documents(
    folder: Path, schemas: dict[str, etree.XMLSchema], seed: int
) -> None:
    """A deterministic walk: values replaced, elements moved, doubled, dropped and invented."""
    chance = random.Random(seed)
    sources = [content for _, content in documents(folder)] if seed % 2 else [content for content, _ in ANSWERS]
    message = messages_of(Document(chance.choice(sources)).xml)[0]
    root = etree.fromstring(etree.tostring(message))
    schema = schemas[local_name(root)]
    for _ in range(chance.randint(1, 3)):
        _alter(root, chance)
    assert schema.validate(root) == (not list(faults_of_form(root))), etree.tostring(root).decode()


def _alter(root: Element, chance: random.Random) -> None:
    elements = [element for element in root.iter() if element is not root]
    if not elements:
        return
    element = chance.choice(elements)
    parent = element.getparent()
    match chance.randrange(7):
        case 0 | 1 | 2:
            element.text = chance.choice(VALUES)
        case 3:
            parent.remove(element)
        case 4:
            parent.insert(parent.index(element), etree.fromstring(etree.tostring(element)))
        case 5:
            parent.insert(chance.randrange(len(parent)), element)
        case 6:
            element.tag = chance.choice(elements).tag


def test_every_message_that_is_read_was_held_against_its_schema(schemas: dict[str, etree.XMLSchema]) -> None:
    assert set(schemas) == set(STRUCTURES)


def test_a_real_document_cut_short_anywhere_is_refused_and_never_breaks_the_check(folder: Path) -> None:
    _, content = next(documents(folder))
    for end in range(0, len(content.rstrip()), 97):
        with pytest.raises(TranslationError):
            check(Document(content[:end]))


def test_the_answers_written_are_valid_under_the_schemas(schemas: dict[str, etree.XMLSchema]) -> None:
    for content in [content for content, _ in ANSWERS] + [HELD]:
        for message in messages(ENS, Document(content), ORIGIN):
            assert_valid(ENS.write(message), schemas)


@settings(max_examples=150, deadline=None)
@given(decisions())
def test_whatever_answer_is_written_is_valid_under_its_schema(
    schemas: dict[str, etree.XMLSchema], message: Message
) -> None:
    try:
        written = ENS.write(message)
    except TranslationError:
        return
    assert_valid(written, schemas)


def test_real_interventions_are_written_again_and_say_the_same(
    folder: Path, schemas: dict[str, etree.XMLSchema]
) -> None:
    count = 0
    for path, content in documents(folder):
        if "intervention" not in str(path):
            continue
        for message in messages(ENS, Document(content), ORIGIN):
            written = ENS.write(message)
            assert_valid(written, schemas)
            (again,) = messages(ENS, Document(written), ORIGIN)
            assert isinstance(again, ShipmentMessage)
            assert isinstance(message, ShipmentMessage)
            assert (again.type, again.data.decision, again.data.place) == (
                message.type, message.data.decision, message.data.place,
            ), path  # fmt: skip
            count += 1
    assert count >= 1


def test_a_rejection_carries_the_numbers_that_hmrc_expects(
    corpus: Path, folder: Path, schemas: dict[str, etree.XMLSchema]
) -> None:
    compared = 0
    for case in cases(corpus):
        for message in messages(Rejections(), Document(case.path.read_bytes()), BRITISH):
            written = ENS.write(message)
            assert_valid(written, schemas)
            if case.by_control_file and not case.malformed and "schemaTestCases" not in case.path.parent.name:
                told = sorted(error.text or "" for error in etree.fromstring(written).iter("ErrReaER13"))
                assert told == sorted(number for number, _ in case.expected.elements()), case.path
                compared += 1
    assert compared >= 1


def assert_valid(written: bytes, schemas: dict[str, etree.XMLSchema]) -> None:
    root = etree.fromstring(written)
    schemas[etree.QName(root).localname].assertValid(root)
