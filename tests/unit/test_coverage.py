"""What counts as a value of a document, and when it counts as carried."""

from datetime import UTC, datetime

import pytest

from adapters.coverage import carried, fields_of, values_of
from adapters.document import Document
from schemas import Message, build


def message(**data: object) -> Message:
    return build(
        specversion="1.0", id="1", source="kr.customs", type="shipment.held", subject="MRN1",
        time=datetime(2026, 3, 1, 10, tzinfo=UTC), datacontenttype="application/json",
        dataschema="urn:cbm:shipment:1",
        data={
            "identifiers": [{"scheme": "container", "value": "CSQU3054383"}],
            "occurred": datetime(2026, 3, 1, 9, 30, tzinfo=UTC), **data,
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<a b='one-1'><c>Some text</c><d>KR</d></a>", {"one1", "sometext"}),
        (b'{"a": ["x.yz", 12345, true, null, {"b": 1.50}]}', {"xyz", "12345"}),
        (b"UNB+UNOA:1+SENDER+RECEIVER'UNZ+0+7'", {"unoa", "sender", "receiver"}),
        (b"<a>", set()),
        (b"\xff\xfe\x00", set()),
    ],
)
def test_values_are_texts_attributes_scalars_and_components_of_three_characters(
    content: bytes, expected: set[str]
) -> None:
    assert values_of(Document(content)) == expected


def test_a_value_is_carried_whatever_its_form() -> None:
    document = Document(
        b"<a><b>csqu 305438-3</b><c>2026-03-01T09:30:00+00:00</c><d>20260301</d><e>250.500</e><f>not there</f></a>"
    )
    found = values_of(document)
    assert len(found) == 5
    assert carried(found, [message(goods=[{"gross_mass_kg": 250.5}])]) == 4
    assert carried(found, []) == 0


def test_fields_are_those_of_the_body_without_the_fingerprint() -> None:
    native = {"format": "wco-dec", "sha256": "0" * 64, "size": 1}
    made = message(goods=[{"hs": "0102"}, {"hs": "0103", "item": 2}], native=native)
    assert fields_of(made) == {"identifiers/scheme", "identifiers/value", "occurred", "goods/hs", "goods/item"}
