"""The lists as their maintainers publish them are imported whole."""

from datetime import UTC, datetime
from pathlib import Path

from adapters.codelists import import_list

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_249_country_files_and_the_parts_of_unlocode_are_read(corpus: Path) -> None:
    folder = corpus / "code-lists" / "uncefact__vocab-locode"
    found = import_list("locode", folder / "locodes", "", NOW)
    assert len(found.codes) > 100_000
    assert {"KRPUS", "JPTYO", "NLRTM", "USNYC"} <= found.codes
    parts = import_list("locode", folder / "scripts" / "src" / "main" / "resources" / "loc232csv", "", NOW)
    assert parts.version == "2023-2"
    assert len(parts.codes - found.codes) < len(parts.codes) / 50


def test_the_harmonized_system_is_read(corpus: Path) -> None:
    found = import_list("hs", corpus / "code-lists/datasets__harmonized-system/data/harmonized-system.csv", "2022", NOW)
    assert 6_900 < len(found.codes) < 7_000
    assert {"01", "0101", "010121"} <= found.codes
