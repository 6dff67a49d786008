"""The tables of docs/FORMATS.md are those of a fresh run over the corpus."""

from pathlib import Path

from adapters.survey import SURVEY, between_markers, survey, tables

PAGE = Path(__file__).parents[2] / "docs" / "FORMATS.md"


def without_seconds(table: str) -> list[str]:
    """The lines of the tables; of those with ten columns all but the last, which holds the seconds."""
    return [line.rsplit("|", 2)[0] if line.count("|") == 11 else line for line in table.splitlines()]


def test_the_page_tells_what_a_fresh_run_finds(corpus: Path) -> None:
    fresh = survey(corpus)
    assert fresh.crashes == []
    assert [name for (_, name), row in fresh.rows.items() if row.unexplained] == []
    assert without_seconds(between_markers(PAGE.read_text(), SURVEY)) == without_seconds(tables(fresh).strip())
