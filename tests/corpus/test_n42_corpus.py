"""N42 against real spectra: passages and measurements are read, and alarms leave as valid CAP."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.document import Document, Findings, Origin
from adapters.formats import by_name, recognise
from adapters.translator import messages
from adapters.xml_repair import root_of
from schemas.envelope import parse
from schemas.errors import TranslationError
from tests.unit.test_n42 import alarm, modern, nuclide

ORIGIN = Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))


def test_passages_and_measurements_are_read_and_refused_is_what_names_no_instrument(corpus: Path) -> None:
    refused: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for path in sorted((corpus / "n42").rglob("*.[nN]42")):
        document = Document(path.read_bytes())
        assert recognise(document)[0].name == "n42"
        try:
            (message,) = messages(by_name("n42"), document, ORIGIN)
        except TranslationError as error:
            refused.update(fault.code for fault in error.faults)
            continue
        assert parse(message.to_bytes()) == message
        assert message.type == "shipment.inspected"
        assert all(one.type == "spectrum" for one in message.data.documents)
        assert len(message.to_bytes()) < 4000
        outcome = message.data.decision.outcome
        read[outcome] += 1
        assert (outcome == "no-alarm") == (message.data.place is not None and "lane 1" in message.data.place.facility)
    assert refused == {}
    assert read == {"no-alarm": 2, "measured": 16}


def test_every_file_is_repaired_where_its_prefixes_are_not_declared(corpus: Path) -> None:
    repaired = 0
    for path in sorted((corpus / "n42").rglob("*.[nN]42")):
        findings = Findings()
        root_of(Document(path.read_bytes()), findings)
        repaired += any(warning.code == "undeclared-prefix" for warning in findings.warnings)
    assert repaired >= 5


def test_an_alarm_leaves_as_valid_cap(corpus: Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(next((corpus / "cap").rglob("cap12.xsd")))))
    document = Document(modern(alarm("Neutron") + alarm("Gamma", "high"), nuclide("Pu-239", kind="SNM")).encode())
    for message in messages(by_name("n42"), document, ORIGIN):
        content = by_name("cap").write(message)
        assert schema.validate(etree.fromstring(content)), schema.error_log


def test_no_document_of_another_folder_is_claimed(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and "n42" not in path.parts:
            document = Document(path.read_bytes(), max_bytes=100 * 1024 * 1024)
            assert by_name("n42").recognise(document) == 0, path.name
