"""`cbm convert`: what an adapter would say of a document, with the status that tells a script how it ended."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from schemas.errors import CbmError
from tests.edifact_documents import CARGO_REPORT
from tests.harness import as_bytes, shipment


def convert(*arguments: str, stdin: bytes = b"") -> tuple[list[dict[str, object]], str]:
    done = CliRunner().invoke(app, ["convert", *arguments], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize(
    ("content", "code", "pointer"),
    [
        (b'{"specversion": "1.0", ', "not-json", ""),
        (b'[{"specversion": "1.0"},', "not-json", "line 1"),
        (b"[" * 100_000 + b'"specversion"', "too-deep", "/0"),
        (b'{"specversion": "1.0", "id": "1", "id": "2"}', "missing", "/source"),
        (as_bytes(shipment()) + b"\n" + b'{"specversion": "1.0"}', "missing", "line 2/id"),
    ],
)
def test_broken_events_are_refused_as_such_with_their_place(content: bytes, code: str, pointer: str) -> None:
    with pytest.raises(CbmError) as refused:
        convert(stdin=content)
    assert refused.value.exit_status == 4
    assert (code, pointer) in [(fault.code, fault.pointer) for fault in refused.value.faults]  # type: ignore[attr-defined]


def test_a_large_document_is_read_in_pieces_and_says_what_it_says_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cargo.edi"
    file.write_text(CARGO_REPORT)
    whole, _ = convert(str(file))
    monkeypatch.setattr("adapters.conversion.MAX_DOCUMENT_BYTES", 100)
    pieces, said = convert(str(file))
    assert "read in pieces" in said
    assert [one["data"] for one in pieces] == [one["data"] for one in whole]
    file.write_text(CARGO_REPORT.replace("+HSL-26-0412+9", "+X+??"))
    with pytest.raises(CbmError):
        convert(str(file))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<shop xmlns='urn:x'/>", "XML with the root shop of urn:x: none of the formats"),
        (b'{"a": 1}', "JSON of none of the formats"),
        (b"UNB+UNOA:1+A+B+260301:0900+1'UNH+1+INVOIC:D:96A:UN'BGM+380+1+9'UNT+3+1'UNZ+1+1'", "UN/EDIFACT INVOIC"),
        (b"hello", "none of the formats looked for"),
    ],
)
def test_a_document_of_no_known_format_is_told_for_what_it_is(content: bytes, words: str) -> None:
    with pytest.raises(CbmError) as refused:
        convert(stdin=content)
    [fault] = refused.value.faults  # type: ignore[attr-defined]
    assert fault.code == "unknown-format"
    assert fault.detail.startswith(words)
