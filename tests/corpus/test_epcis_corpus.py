"""EPCIS against GS1's and OpenEPCIS's documents, and what is written against GS1's own JSON Schema."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator

from adapters.document import Document, Origin
from adapters.epcis import EpcisJson, EpcisXml
from adapters.formats import recognise
from adapters.translator import messages
from schemas.envelope import parse
from schemas.errors import TranslationError
from tests.unit.test_epcis import document as wrapped
from tests.unit.test_epcis import natives

XML, JSON = EpcisXml(), EpcisJson()
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))

# Deliberately invalid files: what they are refused for. GS1's schema passes those marked so.
INVALID = {
    "Combination_of_events_with_missing_mandatory_fields.json": {"missing"},
    "Combination_of_multiple_invalid_fields.json": {
        "biz-step",
        "disposition",
        "source-type",
        "time",
        "action",
        "unknown-member",
    },
    # Passed by the schema, whose URIs may be any text; a bare word that CBV has not is no URI.
    "Combination_of_non_standard_bizStep_and_disposition.json": {"biz-step", "disposition"},
    "ObjectEvent_with_non_standard_bizStep.json": {"biz-step"},
    "ObjectEvent_with_non_standard_bizStep_in_second_event.json": {"biz-step"},
    "ObjectEvent_with_non_standard_disposition.json": {"disposition"},
    # Passed by the schema: a partner's own word without a prefix is nobody's.
    "ObjectEvent_with_ilmd_field_without_namespace.json": {"unknown-member"},
    # Passed by the schema, which leaves times unread.
    "ObjectEvent_with_invalid_eventTime_format.json": {"time"},
    "ObjectEvent_with_invalid_action.json": {"action"},
    "ObjectEvent_without_identifier_list.json": {"missing"},
    "QueryDocument_with_invalid_action.json": {"action"},
    "QueryDocument_with_invalid_eventType.json": {"event-type"},
    # Queries, whatever is wrong in them, hold no events.
    "Query_with_invalid_values.json": {"no-event"},
    "Query_with_unknown_parameter.json": {"no-event"},
    "Query_without_queryName.xml": {"no-event"},
    "QueryDocument_with_missing_value.xml": {"no-event"},
    "ObjectEvent_with_invalid_action.xml": {"action"},
    "ObjectEvent_without_eventTime.xml": {"missing"},
    "ObjectEvent_with_unknown_element.xml": {"unknown-element"},
    "ObjectEvent_with_wrong_element_order.xml": {"order"},
}
# Valid or not, these are refused: the rule stands with each.
WITHOUT_EVENTS = {
    "SimpleEventQuery.json", "CBV-11.4-2020-06-16a.xml", "Example-masterData.xml",
    "Example-CaptureJobRunning.xml", "Example-CaptureJobSuccess.xml", "Example-CaptureJobWithErrorFile.xml",
}  # fmt: skip
# A sensor's event at a place, of no thing.
WITHOUT_THINGS = {"SensorDataExample1b.jsonld"}


@pytest.fixture(scope="module")
def files(corpus: Path) -> list[Path]:
    """The documents: no schema, no context, no description of the sources."""
    suffixes = (".xml", ".json", ".jsonld")
    found = [path for path in sorted((corpus / "epcis").rglob("*")) if path.suffix in suffixes]
    parts = {"JSON-LD-Context", "schemas"}
    return [path for path in found if "JSON-Schema" not in path.name and not parts & set(path.parts)]


@pytest.fixture(scope="module")
def schema(corpus: Path) -> Draft7Validator:
    """GS1's schema in one file; times are read, as its own tests do not."""
    whole = json.loads(next((corpus / "epcis").rglob("EPCIS-JSON-Schema.json")).read_text())
    return Draft7Validator(whole, format_checker=Draft7Validator.FORMAT_CHECKER)


def codes(path: Path) -> set[str] | list[Any]:
    """The codes of a file's faults, or its messages."""
    document = Document(path.read_bytes())
    try:
        translator, _ = recognise(document)
        assert translator.name in ("epcis-xml", "epcis-json"), path.name
        return messages(translator, document, ORIGIN)
    except TranslationError as error:
        return {fault.code for fault in error.faults}


def test_every_invalid_file_is_refused_for_what_is_wrong_in_it(files: list[Path]) -> None:
    invalid = [path for path in files if "Invalid" in path.parts]
    assert {path.name for path in invalid} == INVALID.keys()
    for path in invalid:
        assert codes(path) == INVALID[path.name], path.name


def test_every_other_file_is_read_or_holds_nothing_that_there_is_a_word_for(files: list[Path]) -> None:
    read = 0
    for path in files:
        if "Invalid" in path.parts:
            continue
        found = codes(path)
        if isinstance(found, list):
            read += 1
            assert all(parse(message.to_bytes()) == message for message in found)
        elif path.name == "Extended-Event.json":
            assert found == {"unknown-format"}, "its one event is of an extension"
        elif path.name in WITHOUT_EVENTS:
            assert found == {"no-event"}, path.name
        else:
            assert (found, path.name in WITHOUT_THINGS) == ({"no-words"}, True), path.name
    assert read >= 125


def test_what_is_read_goes_out_valid_and_comes_back_the_same(files: list[Path], schema: Draft7Validator) -> None:
    written = 0
    for path in files:
        found = codes(path)
        for message in found if isinstance(found, list) else []:
            if not is_writable(message):
                with pytest.raises(TranslationError, match="not-expressible"):
                    JSON.write(message)
                continue
            content = JSON.write(message)
            assert list(schema.iter_errors(json.loads(content))) == [], path.name
            (again,) = messages(JSON, Document(content), ORIGIN)
            assert again.type == message.type
            assert again.data.model_copy(update={"native": None}) == message.data.model_copy(update={"native": None})
            written += 1
    assert written >= 200


def is_writable(message: Any) -> bool:
    """An error is declared with all of the event that was reported, which the message does not hold."""
    return not any(one.type == "declared-erroneous" for one in message.data.documents or [])


def test_whatever_is_written_is_valid(schema: Draft7Validator) -> None:
    @settings(max_examples=100, deadline=None)
    @given(natives())
    def check(native: dict[str, Any]) -> None:
        try:
            (message,) = messages(JSON, Document(json.dumps(wrapped(native)).encode()), ORIGIN)
        except TranslationError:
            return
        assert list(schema.iter_errors(json.loads(JSON.write(message)))) == []

    check()


def test_the_schema_would_notice_a_fault(schema: Draft7Validator) -> None:
    event = {
        "type": "ObjectEvent", "eventTime": "2026-03-01T08:00:00+09:00", "eventTimeZoneOffset": "+09:00",
        "epcList": ["urn:epc:id:bic:CSQU3054383"], "action": "OBSERVE",
    }  # fmt: skip
    assert schema.is_valid(wrapped(event))
    for name, value in (
        ("action", "CREATE"),
        ("eventTimeZoneOffset", "+15:00"),
        ("bizTransactionList", [{"type": "po"}]),
    ):
        assert not schema.is_valid(wrapped(event | {name: value})), name
