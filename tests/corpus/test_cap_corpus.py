"""CAP against real alerts of eight countries, and against the standard's own schema."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from lxml import etree

from adapters.cap import TRANSLATORS
from adapters.document import Document, Origin
from adapters.translator import messages
from schemas import Message, build
from schemas.envelope import parse
from schemas.errors import TranslationError
from tests.alerts import clean_alerts, wild_alerts

(CAP,) = TRANSLATORS
ORIGIN = Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
SUFFIXES = {".cap", ".xml", ".atom"}

# What is not in the encoding that it says.
REPAIRED = {"pelmorex.atom"}
# What holds no alert that could be read, and why.
REFUSED = {
    "xee.cap": "document-type",
    "earthquake_index.atom": "no-alert",
    "empty_weather_index.atom": "no-alert",
    "no_id.atom": "no-alert",
    "no_link.atom": "no-alert",
}


@pytest.fixture(scope="module")
def documents(corpus: Path) -> dict[str, Document]:
    found = sorted(path for path in (corpus / "cap").rglob("*") if path.suffix in SUFFIXES)
    assert len(found) >= 24
    return {path.name: Document(path.read_bytes()) for path in found}


@pytest.fixture(scope="module")
def schema(corpus: Path) -> etree.XMLSchema:
    path = next((corpus / "cap").rglob("cap12.xsd"))
    return etree.XMLSchema(etree.fromstring(path.read_bytes()))


def content_of(message: Message) -> dict[str, object]:
    """A message without what differs from document to document that says the same."""
    body = message.model_dump(exclude={"id", "traceparent", "correlationid"}, exclude_none=True)
    del body["data"]["native"]
    return body


def test_every_document_is_read_or_refused_for_the_reason_expected(documents: dict[str, Document]) -> None:
    refused: dict[str, str] = {}
    for name, document in documents.items():
        try:
            found = messages(CAP, document, ORIGIN)
        except TranslationError as error:
            refused[name] = error.faults[0].code
        else:
            assert found
            for message in found:
                assert parse(message.to_bytes()) == message
    assert {name: refused[name] for name in refused if name in REFUSED} == REFUSED
    assert set(refused) == set(REFUSED)


def test_every_document_with_an_alert_is_recognised(documents: dict[str, Document]) -> None:
    for name, document in documents.items():
        assert CAP.recognise(document) >= (0.5 if name in REFUSED or name in REPAIRED else 0.9), name


def test_every_alert_written_is_valid_and_reads_the_same_again(
    documents: dict[str, Document], schema: etree.XMLSchema
) -> None:
    for name, document in documents.items():
        if name in REFUSED:
            continue
        for message in messages(CAP, document, ORIGIN):
            written = CAP.write(message)
            assert schema.validate(etree.fromstring(written)), (name, schema.error_log)
            (again,) = messages(CAP, Document(written), ORIGIN)
            assert content_of(again) == content_of(message), name


def test_languages_of_one_event_are_joined_and_feeds_taken_apart(documents: dict[str, Document]) -> None:
    def read(name: str) -> list[Message]:
        return messages(CAP, documents[name], ORIGIN)

    for name, language in {"canada_signed.cap": "fr-CA", "iceland_met_office.cap": "en-US"}.items():
        (message,) = read(name)
        assert [one.language for one in message.data.translations] == [language]
    assert len(read("us_nws_weather.atom")) == 2
    feed = documents["nws_atom_feed_example.xml"]
    entries = len(list(feed.xml.iter("{*}entry")))
    assert len(messages(CAP, feed, ORIGIN)) == entries > 100


def test_the_same_document_gives_the_same_bytes_and_no_id_twice(documents: dict[str, Document]) -> None:
    for name, document in documents.items():
        if name in REFUSED:
            continue
        first = [message.to_bytes() for message in messages(CAP, document, ORIGIN)]
        assert first == [message.to_bytes() for message in messages(CAP, Document(document.content), ORIGIN)]
        assert len(set(first)) == len(first)


def test_any_alert_written_is_valid(schema: etree.XMLSchema) -> None:
    @settings(max_examples=150, deadline=None)
    @given(clean_alerts() | wild_alerts())
    def check(message: Message) -> None:
        assert schema.validate(etree.fromstring(CAP.write(message))), schema.error_log

    check()


@pytest.mark.parametrize(
    "type_", ["selected-for-scan", "selected-for-inspection", "held", "refused", "resealed", "inspected", "released"]
)
def test_every_notice_written_is_valid(schema: etree.XMLSchema, type_: str) -> None:
    message = build(
        specversion="1.0", id="n 1,<&", source="kr.customs", type=f"shipment.{type_}", subject="6KR123 <&",
        time=datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC), datacontenttype="application/json",
        dataschema="urn:cbm:shipment:1",
        data={
            "identifiers": [{"scheme": "other", "value": "X\x02Y", "issuer": "a\x00b"}],
            "occurred": "2026-03-01T08:00:00.5+09:00", "classifier": "planned", "place": {"name": "\x00"},
            "equipment": [{"number": "MSKU6874333", "seals": ["S1"]}],
            "decision": {"outcome": type_, "item": 3, "reason": "\ufffe", "authority": "kr.customs"},
        },
    )  # fmt: skip
    assert schema.validate(etree.fromstring(CAP.write(message))), schema.error_log
