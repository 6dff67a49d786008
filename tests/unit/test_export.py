"""The exported JSON Schemas say what the models say, and what they say is so."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft7Validator, Draft202012Validator

from broker.decision import receipt_of
from schemas.export import FOLDER, documents, text_of
from tests.harness import BORDER, CUSTOMS, alert, as_bytes, shipment
from tests.unit.strategies import NOW, events
from tests.unit.test_decision import arrival, decided, held

ROOT = Path(__file__).parents[2]
EXPORTED = documents()


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"{name}.json").read_text()))


def receipt() -> dict[str, Any]:
    refused = decided(arrival(held(tlp="PINK", specversion="0.3")))
    content: dict[str, Any] = json.loads(receipt_of(refused, "node", NOW).body)
    return content


MESSAGES = {"shipment": shipment, "alert": alert, "receipt": receipt}


@pytest.mark.parametrize("name", EXPORTED)
def test_the_files_are_what_the_models_export(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == text_of(EXPORTED[name]), "run: python -m schemas.export"


def test_there_is_no_file_that_is_not_exported() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EXPORTED)


@pytest.mark.parametrize("name", EXPORTED)
def test_each_is_a_json_schema_of_2020_12_with_an_id_and_a_description(name: str) -> None:
    document = EXPORTED[name]
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"].startswith("urn:cbm:")
    assert document["description"]


@pytest.mark.parametrize("name", EXPORTED)
def test_nothing_may_be_null(name: str) -> None:
    assert '"null"' not in json.dumps(EXPORTED[name])
    assert "null" not in json.dumps(EXPORTED[name])


@pytest.mark.parametrize("family", MESSAGES)
def test_a_message_of_each_family_is_valid_under_its_schemas_and_no_others(family: str) -> None:
    content = MESSAGES[family]()
    validator("envelope").validate(content)
    validator(f"{family}-1").validate(content["data"])
    for other in MESSAGES:
        assert validator(f"{other}-message").is_valid(content) == (other == family)


@given(events())
def test_what_is_a_valid_event_is_valid_under_the_exported_schema(event: dict[str, Any]) -> None:
    validator(f"{event['type'].split('.')[0]}-message").validate(event)


@pytest.mark.parametrize(
    "changed",
    [{"specversion": "0.3"}, {"tlp": None}, {"tlp": "PINK"}, {"sequence": -1}, {"time": "today"}, {"id": ""}],
)
def test_what_is_no_valid_event_is_not_valid_under_the_exported_schema(changed: dict[str, Any]) -> None:
    assert not validator("shipment-message").is_valid(shipment() | changed)


def test_an_unknown_field_of_a_body_is_refused_and_an_unknown_attribute_kept() -> None:
    content = shipment(partitionkey="1")
    validator("shipment-message").validate(content)
    content["data"]["unheard"] = 1
    assert not validator("shipment-message").is_valid(content)


def cloudevents() -> Draft7Validator:
    """The specification's own schema, from the folder of real documents."""
    folder = Path(os.environ.get("CBM_CORPUS") or ROOT.parent / "shared" / "corpus")
    path = folder / "cloudevents" / "cloudevents__spec" / "cloudevents" / "formats" / "cloudevents.json"
    if not path.is_file():
        reason = "no corpus of real documents: set CBM_CORPUS"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Draft7Validator(json.loads(path.read_text()), format_checker=Draft7Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("family", MESSAGES)
def test_every_message_is_a_cloudevent_by_the_specifications_own_schema(family: str) -> None:
    cloudevents().validate(MESSAGES[family]())


@given(events())
def test_every_valid_event_is_a_cloudevent_by_the_specifications_own_schema(event: dict[str, Any]) -> None:
    checker = cloudevents()
    checker.validate(event)
    assert not checker.is_valid(event | {"id": ""})
    lane = event["type"].split(".")[0]
    for agency in (CUSTOMS, BORDER):
        note = receipt_of(decided(arrival(as_bytes(event), agency, lane)), "node", NOW)
        checker.validate(json.loads(note.body))
