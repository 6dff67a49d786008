"""What the CloudEvents translator promises: events in a file stay the events they are, or all of it is refused."""

import contextlib
import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Findings, Origin
from adapters.events import CloudEvents, split
from adapters.translator import messages
from broker.keys import SigningKey
from broker.signatures import sign_bytes
from schemas import Message
from schemas.errors import TranslationError
from tests.wco_messages import MESSAGES

ORIGIN = Origin("kr.quarantine", datetime(2026, 3, 2, tzinfo=UTC))
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "7c1e",
    "source": "kr.quarantine",
    "type": "shipment.held",
    "subject": "6KR1208814-PLANTS-0417",
    "time": "2026-03-02T10:00:00+09:00",
    "datacontenttype": "application/json",
    "dataschema": "urn:cbm:shipment:1",
    "tlp": "GREEN",
    "sequence": 3,
    "test": False,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "stage": "second",
    "data": {
        "identifiers": [{"scheme": "container", "value": "CBMU2046175"}],
        "occurred": "2026-03-02T09:58:00+09:00",
    },
}
BODY = json.dumps(EVENT).encode()


def body(number: int, **changes: Any) -> bytes:
    return json.dumps(EVENT | {"id": f"e-{number}"} | changes).encode()


def read(content: bytes) -> list[Message]:
    return messages(CloudEvents(), Document(content), ORIGIN)


def faults(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(TranslationError) as refused:
        read(content)
    return [(fault.code, fault.pointer) for fault in refused.value.faults]


def test_an_event_keeps_its_id_time_and_every_attribute() -> None:
    (message,) = read(BODY)
    again = json.loads(message.to_bytes())
    assert {name: again[name] for name in EVENT if name != "data"} == {n: v for n, v in EVENT.items() if n != "data"}
    assert {name: again["data"][name] for name in EVENT["data"]} == EVENT["data"]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (BODY, 1),
        (json.dumps(EVENT, indent=2).encode(), 1),
        (b" [ " + body(1) + b" ,\n" + body(2) + b" ] ", 2),
        (body(1) + b"\n\n" + body(2) + b"\r\n \t" + body(3), 3),
        (b"\r\n\r\n" + body(1) + b"\r" + body(2) + b"\r\n\r\n", 2),
        (b"\xef\xbb\xbf" + body(1) + b"\n\xef\xbb\xbf" + body(2), 2),
        (b"\xef\xbb\xbf" + BODY, 1),
    ],
)
def test_single_events_batches_and_lines_are_read(content: bytes, count: int) -> None:
    assert CloudEvents().recognise(Document(content)) > 0.5
    assert len(read(content)) == count


def test_a_file_is_refused_whole_with_the_faults_of_every_event() -> None:
    foreign = json.dumps(EVENT | {"source": "kr.customs"}).encode()
    unknown = json.dumps(EVENT | {"type": "shipment.vanished"}).encode()
    assert faults(b"[" + b",".join([BODY, foreign, unknown]) + b"]") == [
        ("wrong-source", "/1/source"),
        ("not-in-list", "/2/type"),
    ]


def test_a_receipt_is_no_agencys_to_publish() -> None:
    receipt = EVENT | {
        "type": "receipt.accepted",
        "dataschema": "urn:cbm:receipt:1",
        "data": {"disposition": "accepted", "of": {"id": "1"}},
    }
    assert faults(json.dumps(receipt).encode()) == [("broker-only-type", "/type")]


def test_an_event_that_is_signed_already_is_refused_since_the_adapter_would_break_its_signature() -> None:
    signed = sign_bytes(BODY, SigningKey("k", bytes(32)))
    assert faults(signed) == [("signed-already", "/signature")]


def test_what_a_batch_hides_is_found_in_it() -> None:
    twice = BODY.replace(b'"id": "7c1e"', b'"id": "7c1e", "id": "other"')
    assert [code for code, _ in faults(b"[" + twice + b"]")] == ["duplicate-name"]
    assert faults(b'[{"specversion": "\\ud800"}]') == [("not-json", "/0")]


def test_no_event_beyond_a_limit_is_dropped_in_silence() -> None:
    three = [body(number) for number in range(3)]
    for content, place in ((b"\n".join(three), "line 3"), (b"[" + b",".join(three) + b"]", "/2")):
        with pytest.raises(TranslationError) as refused:
            CloudEvents(max_events=2).read(Document(content), ORIGIN)
        assert [(fault.code, fault.pointer) for fault in refused.value.faults] == [("too-many", place)]
        assert len(CloudEvents(max_events=3).read(Document(content), ORIGIN).drafts) == 3
    assert faults(b"[]") == [("empty", "")]
    assert faults(b"") == [("empty", "")]
    assert faults(b'{"specversion":"1.0"}\n' * 200)[-1][0] == "more-faults"


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (b"oops", [("not-json", "line 3")]),
        (body(9)[:-9], [("not-json", "line 3")]),
        (b"\xff", [("not-json", "line 3")]),
        (body(9, type="shipment.vanished"), [("not-in-list", "line 3/type")]),
    ],
)
def test_one_broken_line_among_many_is_named_wherever_it_stands(broken: bytes, expected: list[Any]) -> None:
    lines = [body(1), b"", broken, *(body(number) for number in range(2, 6))]
    assert faults(b"\r\n".join(lines)) == expected
    first = faults(b"\n".join([broken, *(body(number) for number in range(2, 6))]))
    assert first == [(code, place.replace("3", "1")) for code, place in expected]
    last = faults(b"\n".join([*(body(number) for number in range(2, 6)), broken]))
    assert last == [(code, place.replace("3", "5")) for code, place in expected]


def test_one_event_over_several_lines_is_no_file_of_lines_though_it_is_broken() -> None:
    pretty = json.dumps(EVENT, indent=2).encode()
    assert faults(pretty[:-2]) == [("not-json", "")]
    assert len(read(pretty.replace(b"\n", b"\r\n"))) == 1


@pytest.mark.parametrize("end", [b"", b",", b",]", b"]]", b"] x", b" " + BODY, b"]" + BODY])
def test_a_batch_that_does_not_end_as_one_is_refused(end: bytes) -> None:
    assert [code for code, _ in faults(b"[" + BODY + end)] == ["not-json"]


def test_an_event_that_stands_there_twice_is_read_once_and_an_id_for_two_is_refused() -> None:
    (one, two) = read(b"\n".join([body(1), body(2), body(1)]))
    assert (one.id, two.id) == ("e-1", "e-2")
    (warning,) = one.data.native.warnings  # type: ignore[union-attr]
    assert (warning.code, warning.pointer) == ("repeated", "line 3")
    assert faults(b"\n".join([body(1), body(1, subject="X")])) == [("id-reused", "line 2/id")]
    assert faults(b"[" + body(1) + b"," + body(1, subject="X") + b"]") == [("id-reused", "/1/id")]


def test_lines_are_taken_one_after_the_other_in_memory_that_does_not_grow() -> None:
    content = b"\n".join([b'{"specversion":"1.0"}'] * 100_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in split(content, Findings()))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert peak_bytes < 100_000


@settings(max_examples=100, deadline=None)
@given(MESSAGES)
def test_an_event_that_is_written_reads_as_the_same_event(message: Message) -> None:
    (again,) = read(CloudEvents().write(message))
    same = again.model_copy(update={"data": message.data, "traceparent": message.traceparent})
    assert same == message
    assert again.data.model_copy(update={"native": None}) == message.data  # type: ignore[union-attr]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_broken_json_raises_nothing_but_translation_errors(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([BODY, b"[" + BODY + b"," + BODY + b"]", BODY + b"\n" + BODY])))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.sampled_from([0, 1, 30]))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"[", b"]", b"{", b'"', b"\\ud800", b"1e999", b"NaN", b"\n"])
        )
    document = Document(bytes(content))
    assert 0 <= CloudEvents().recognise(document) <= 1
    with contextlib.suppress(TranslationError):
        messages(CloudEvents(), document, ORIGIN)
