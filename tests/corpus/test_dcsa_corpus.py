"""DCSA against its own samples, and what is written against its own OpenAPI document."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from adapters.dcsa import TRANSLATORS
from adapters.document import Document, Origin
from adapters.formats import recognise
from adapters.translator import messages
from schemas.envelope import parse
from schemas.errors import TranslationError
from tests.unit.test_dcsa import natives

TNT = TRANSLATORS[0]
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))

READ = {
    # Each of its calls is omitted or blanked.
    "ovs-300-response.json": 5,
    "arrivalnotice-api-100-post-freighted-request.json": 1,
    "arrivalnotice-api-100-post-notification-request.json": 1,
    "tnt-220-response.json": 6,
    "tnt-300-request-equipment.json": 1,
    "tnt-300-request-reefer.json": 1,
    "tnt-300-response.json": 4,
    "tnt-300-response-nextpage.json": 4,
    "vgm-api-100-post-request.json": 1,
}
# Why each of the others is refused: by code, and in words where the code does not say it.
REFUSED = {
    "ovs-300-response-wrong-structure.json": ("structure", "vessels stands where vesselSchedules belongs"),
    "tnt-220-response-wrong-structure.json": ("structure", "someEvents stands where events belongs"),
    "portcall-api-200-get-response.json": ("no-words", "the start of a service at a berth is no arrival"),
    "portcall-api-200-post-request.json": ("no-words", "the start of a service at a berth is no arrival"),
    "tnt-300-request-shipment.json": ("no-words", "a confirmed booking is the carrier's and its customer's"),
    "jit-200-vessel-status-request.json": ("not-json", "a vessel's draught; its placeholders are no JSON"),
}


@pytest.fixture(scope="module")
def files(corpus: Path) -> dict[str, Path]:
    return {path.name: path for path in (corpus / "dcsa").rglob("*.json")}


@pytest.fixture(scope="module")
def schema(corpus: Path) -> Draft202012Validator:
    """The request of POST /events; it lets any further member pass, so here none may."""
    whole = yaml.safe_load(next((corpus / "dcsa").rglob("TNT_v3.0.0.yaml")).read_text())
    for part in whole["components"]["schemas"].values():
        if part.get("type") == "object":
            part["additionalProperties"] = False
    return Draft202012Validator(
        {"$ref": "#/components/schemas/PostEventsRequest", "components": whole["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def test_every_sample_is_read_or_refused_for_its_own_reason(files: dict[str, Path]) -> None:
    assert set(files) == READ.keys() | REFUSED.keys()
    for name, path in files.items():
        document = Document(path.read_bytes())
        if name in READ:
            translator, _ = recognise(document)
            found = messages(translator, document, ORIGIN)
            assert len(found) == READ[name], name
            assert all(parse(message.to_bytes()) == message for message in found)
            continue
        with pytest.raises(TranslationError) as error:
            messages(recognise(document)[0], document, ORIGIN)
        assert {fault.code for fault in error.value.faults} == {REFUSED[name][0]}, name


def test_what_is_read_goes_out_valid_and_comes_back_the_same(
    files: dict[str, Path], schema: Draft202012Validator
) -> None:
    for name in READ:
        if not name.startswith("tnt"):
            continue
        for message in messages(TNT, Document(files[name].read_bytes()), ORIGIN):
            own = [one.id for one in message.data.documents or [] if one.type == "dcsa-event"]
            if any(one.startswith(("IOT", "REEFER")) for one in own):
                with pytest.raises(TranslationError, match="not-expressible"):
                    TNT.write(message)
                continue
            content = TNT.write(message)
            assert list(schema.iter_errors(json.loads(content))) == []
            (again,) = messages(TNT, Document(content), ORIGIN)
            assert again.type == message.type
            assert again.data.model_copy(update={"native": None}) == message.data.model_copy(update={"native": None})


def test_whatever_is_written_is_valid(schema: Draft202012Validator) -> None:
    @settings(max_examples=150, deadline=None)
    @given(natives())
    def check(native: dict[str, Any]) -> None:
        try:
            found = messages(TNT, Document(json.dumps({"events": [native]}).encode()), ORIGIN)
        except TranslationError:
            return
        for message in found:
            assert list(schema.iter_errors(json.loads(TNT.write(message)))) == []

    check()


def test_the_schema_would_notice_a_fault(files: dict[str, Path], schema: Draft202012Validator) -> None:
    valid = json.loads(files["tnt-300-request-equipment.json"].read_bytes())
    assert schema.is_valid(valid)
    for name, value in (("eventID", 7), ("eventDateTime", "2026-03-01T08:00:00.123456+09:00"), ("eventId", "x")):
        broken = copy.deepcopy(valid)
        broken["events"][0][name] = value
        assert not schema.is_valid(broken), name
