"""What the registry promises: a document finds its translator by its content, or is told what there is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.document import Document, Origin
from adapters.formats import FORMATS, by_name, names, recognise
from adapters.survey import REGISTRY, SURVEY, between_markers, main, registry, with_part
from adapters.translator import messages
from schemas.errors import NotFound, TranslationError

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "seaport" / "documents"
DOCUMENTS = [
    path for folder in (EXAMPLES, ROOT / "examples" / "formats") for path in sorted(folder.rglob("*")) if path.is_file()
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_example_is_of_one_format_only(path: Path) -> None:
    document = Document(path.read_bytes())
    translator, sure = recognise(document)
    assert sure >= 0.9
    others = {name: one.recognise(document) for name, one in FORMATS.items() if one is not translator}
    assert all(confidence < 0.5 for confidence in others.values()), others


def test_every_format_that_is_read_has_an_example_of_its_name_which_makes_messages() -> None:
    found = set()
    for path in DOCUMENTS:
        document = Document(path.read_bytes())
        translator, _ = recognise(document)
        assert messages(translator, document, Origin(path.parent.name, datetime(2026, 3, 5, tzinfo=UTC))), path
        assert path.parent.name != "formats" or path.stem == translator.name
        found.add(translator.name)
    assert {name for name, one in FORMATS.items() if one.can_read} == found


def test_a_format_is_found_by_its_name_and_an_unknown_name_is_told_the_known_ones() -> None:
    assert [by_name(name).name for name in names()] == names()
    with pytest.raises(NotFound, match=r"wco-dec, wco-res"):
        by_name("wco-decl")


def code_of(content: bytes) -> str:
    with pytest.raises(TranslationError) as refused:
        recognise(Document(content))
    (fault,) = refused.value.faults
    return fault.code


def test_what_no_format_knows_is_refused_with_what_is_known() -> None:
    assert code_of(b"<note/>") == "unknown-format"
    assert code_of(b"name,age\n") == "unknown-format"
    assert code_of(b"<note>") == "not-well-formed"
    assert code_of(b" \n") == "empty"
    with pytest.raises(TranslationError, match="looked for: wco-res"):
        recognise(Document(b"<note/>"), among=[by_name("wco-res")])


def test_a_document_is_only_looked_for_among_the_formats_given() -> None:
    declaration = Document((EXAMPLES / "kr.customs" / "declaration-plants.xml").read_bytes())
    assert recognise(declaration)[0].name == "wco-dec"
    with pytest.raises(TranslationError):
        recognise(declaration, among=[by_name("cap"), by_name("wco-res")])


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_recognising_never_breaks_whatever_the_bytes(content: bytes) -> None:
    for translator in FORMATS.values():
        assert 0 <= translator.recognise(Document(content)) <= 1


def test_the_survey_replaces_only_what_stands_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    parts = "".join(f"<!-- {part}:begin -->\nold\n<!-- {part}:end -->\n" for part in (SURVEY, REGISTRY))
    page.write_text(f"before\n{parts}after\n")
    folder = tmp_path / "corpus" / "wco-data-model"
    folder.mkdir(parents=True)
    (folder / "one.xml").write_bytes((EXAMPLES / "kr.customs" / "declaration-plants.xml").read_bytes())
    (folder / "two.xml").write_bytes(b"<Declaration xmlns='urn:wco:datamodel:WCO:DEC-DMS:2'/>")
    (folder / "three.txt").write_bytes(b"notes")
    assert main([str(tmp_path / "corpus"), "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert between_markers(text, REGISTRY) == registry()
    told = between_markers(text, SURVEY)
    assert "| wco-data-model | `wco-dec` | 2 | 1 | 1 | 0 | 1 |" in told
    assert "| wco-data-model | `wco-dec` | 1 | `no-identifier` |" in told
    assert "| wco-data-model | 1 .txt |" in told
    with pytest.raises(ValueError, match="survey:begin"):
        with_part("no markers", SURVEY, "x")


def test_the_page_tells_every_format_there_is() -> None:
    assert between_markers((ROOT / "docs" / "FORMATS.md").read_text(), REGISTRY) == registry()


def test_the_survey_fails_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1
