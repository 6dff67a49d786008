"""ONE Record against IATA's own examples: events and notifications are read, descriptions and errors refused."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from adapters.document import Document, Origin
from adapters.formats import by_name, recognise
from adapters.translator import messages
from schemas.envelope import parse
from schemas.errors import TranslationError

ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))
# Objects, subscriptions, changes, rights, errors and lists of codes: nothing happened. One event says nothing of what
# it is about, because the address that it is sent to does; one notification only links to its event.
REFUSED = {("no-event",): 51, ("no-identifier",): 1, ("notification",): 1}


def test_events_and_notifications_are_read_and_nothing_else(corpus: Path) -> None:
    refused: Counter[tuple[str, ...]] = Counter()
    kinds: Counter[str] = Counter()
    for path in sorted((corpus / "iata-one-record").rglob("*.json")):
        document = Document(path.read_bytes())
        assert recognise(document)[0].name == "iata-one-record"
        try:
            found = messages(by_name("iata-one-record"), document, ORIGIN)
        except TranslationError as error:
            refused[tuple(fault.code for fault in error.faults)] += 1
            continue
        for message in found:
            assert parse(message.to_bytes()) == message
            assert all(one.value.startswith("HTTPS://1R.EXAMPLE.COM/") for one in message.data.identifiers)
            kinds[message.type] += 1
    assert refused == REFUSED
    assert kinds == {"shipment.departed": 6, "shipment.loaded": 1, "shipment.declared": 3, "shipment.amended": 2}


def test_no_document_of_another_folder_is_claimed(corpus: Path) -> None:
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and "iata-one-record" not in path.parts:
            document = Document(path.read_bytes(), max_bytes=100 * 1024 * 1024)
            assert by_name("iata-one-record").recognise(document) == 0, path.name
