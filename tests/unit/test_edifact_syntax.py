"""EDIFACT's own layer: characters, segments, envelopes and segment groups, as sound and unsound senders write them."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Findings
from adapters.edifact_envelope import read_messages
from adapters.edifact_structure import Group, Matcher, definition_of, parse
from adapters.edifact_syntax import MAX_SEGMENT_CHARACTERS, Segment, chunks_of, segments
from adapters.edifact_write import clean, segment
from adapters.profile import NEUTRAL
from schemas.errors import TranslationError
from tests.edifact_documents import ALL, CARGO_REPORT

CHARSETS = NEUTRAL.table("edifact", "charset")
TYPES = NEUTRAL.table("edifact", "message-type")
STRUCTURES = NEUTRAL.table("edifact_structures", "structure")


def split(content: bytes | str, findings: Findings | None = None, size: int = 0) -> list[Segment]:
    raw = content if isinstance(content, bytes) else content.encode()
    chunks: Iterable[bytes] = (raw[at : at + size] for at in range(0, len(raw), size)) if size else chunks_of(raw)
    return list(segments(chunks, findings or Findings(), CHARSETS))


def elements(content: bytes | str) -> list[list[list[str]]]:
    return [one.elements for one in split(content)]


def codes(content: bytes | str) -> list[str]:
    findings = Findings()
    split(content, findings)
    return [one.code for one in findings.warnings]


def envelope(content: str) -> tuple[list[tuple[str, list[str]]], list[str]]:
    findings = Findings()
    tokens = segments(chunks_of(content.encode()), findings, CHARSETS)
    found = [(one.heading.type, [part.tag for part in one.segments]) for one in read_messages(tokens, findings, TYPES)]
    return found, [one.code for one in findings.warnings]


def test_a_released_character_is_text_and_an_unreleased_one_separates() -> None:
    found = elements("UNB+UNOA:1'FTX+AAA+++A?+B?:C?'D??:E???+F'")[1]
    assert found == [["FTX"], ["AAA"], [""], [""], ["A+B:C'D?", "E?+F"]]


def test_a_release_character_before_an_ordinary_one_is_kept() -> None:
    assert elements("UNB+UNOA:1'FTX+AAA+WHY? BECAUSE'")[1][2] == ["WHY? BECAUSE"]


@pytest.mark.parametrize(
    "text",
    [
        "UNA:+.? 'UNB+UNOA:3'BGM+85+A:B'",
        "UNB+UNOA:3'BGM+85+A:B'",
        "UNA^*.? $UNB*UNOA^3$BGM*85*A^B$",
        "UNB*UNOA:3$UNH*1*CUSCAR:D:95B:UN$BGM*85*A:B$",
        "UNB\x1dUNOB\x1f3\x1cBGM\x1d85\x1dA\x1fB\x1c",
        "\ufeffUNB+UNOA:3'\r\n\tBGM+85+A:B'",
        "QD ABCDE\r\n.XYZ 1\r\n\x02UNB+UNOA:3'\r\nBGM+85+A:B'\r\n\x03\r\nThis mail is confidential.",
        "UNB+UNO\r\nA:3'BG\r\nM+85+A\r\n:B'",
        "UNB+UNOA:3\nUNH+1+CUSCAR:D:95B:UN\nBGM+85+A:B\n",
        "UNB+UNOA:3'BGM+85+A:B",
    ],
)
def test_other_service_characters_noise_wrapping_and_a_missing_end_change_nothing(text: str) -> None:
    assert [["BGM"], ["85"], ["A", "B"]] in elements(text)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_other_encodings_are_told_by_their_bytes(codec: str) -> None:
    assert elements(CARGO_REPORT.encode(codec)) == elements(CARGO_REPORT)


@pytest.mark.parametrize(
    ("level", "codec", "text"),
    [
        ("UNOC", "iso8859-1", "MÜLLER"),
        ("UNOD", "iso8859-2", "ŁÓDŹ"),
        ("UNOE", "iso8859-5", "МОСКВА"),
        ("UNOF", "iso8859-7", "ΑΘΗΝΑ"),
        ("UNOK", "iso8859-9", "İZMİR"),
        ("UNOW", "utf-8", "부산"),
        ("UNOX", "iso2022_jp_2", "東京"),
        ("KECA", "cp949", "부산항"),
    ],
)
def test_the_syntax_identifier_says_the_repertoire(level: str, codec: str, text: str) -> None:
    document = f"UNB+{level}:3+A+B'FTX+AAA+++{text}'".encode(codec)
    assert elements(document)[1][4] == [text]
    assert codes(document) == []


def test_utf_8_under_another_identifier_is_read_and_warned_of() -> None:
    document = "UNB+UNOA:3+A+B'FTX+AAA+++부산'"
    assert elements(document)[1][4] == ["부산"]
    assert codes(document) == ["character-set"]


def test_an_unknown_identifier_is_warned_of() -> None:
    assert codes("UNB+XXXZ:3+A+B'BGM+85'") == ["syntax-identifier"]


def test_repetitions_come_apart_where_they_are_asked_for() -> None:
    told = split("UNA:+.?*'UNB+UNOA:4'ATT+1+A:B*C?*D'")[1]
    assert told.get(2, 1) == "B"
    assert told.repeats(2) == [["A", "B"], ["C*D"]]
    untold = split("UNB+UNOA:4'ATT+1+A*C'")[1]
    assert (untold.get(2), untold.repeats(2)) == ("A*C", [["A"], ["C"]])


def test_a_second_interchange_may_have_service_characters_of_its_own() -> None:
    text = "UNA:+.? 'UNB+UNOA:1'BGM+1'UNZ+1'  noise UNA^*.? $UNB*UNOA^1$BGM*2^x$UNZ*1$"
    found = elements(text)
    assert [one[0][0] for one in found] == ["UNB", "BGM", "UNZ"] * 2
    assert found[4] == [["BGM"], ["2", "x"]]


def test_a_segment_knows_its_line() -> None:
    found = split("\r\nUNB+UNOA:1'\r\nBGM\r\n+85'\r\n\r\nDTM+1'")
    assert [(one.tag, one.line) for one in found] == [("UNB", 2), ("BGM", 3), ("DTM", 6)]


def test_how_a_document_is_cut_into_chunks_changes_nothing() -> None:
    for text in (*ALL.values(), "UNB+UNOW:4'FTX+AAA+++부산???'??'\r\nBGM+1'"):
        whole = [(one.elements, one.line) for one in split(text)]
        for size in (1, 2, 3, 7, 64):
            assert [(one.elements, one.line) for one in split(text, size=size)] == whole


@pytest.mark.parametrize("content", [b"", b"hello", b"<xml/>", b"\x00\x00", b"UNBELIEVABLE", b"UN" * 50_000])
def test_what_opens_no_interchange_is_refused(content: bytes) -> None:
    with pytest.raises(TranslationError) as caught:
        split(content)
    assert [one.code for one in caught.value.faults] == ["no-interchange"]


def test_a_segment_without_an_end_is_refused_with_its_line() -> None:
    with pytest.raises(TranslationError) as caught:
        split("UNB+UNOA:1'\nFTX+" + "A" * (2 * MAX_SEGMENT_CHARACTERS))
    (fault,) = caught.value.faults
    assert (fault.code, fault.pointer) == ("segment-too-long", "line 1")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_break_the_tokeniser(noise: bytes) -> None:
    for content in (noise, b"UNB+UNOA:1'" + noise, b"UNA" + noise + b"UNB+UNOC:3'BGM+1'"):
        try:
            split(content, size=16)
        except TranslationError as error:
            assert error.faults  # noqa: PT017 (either outcome is right)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12).map(clean), min_size=1, max_size=4), min_size=1, max_size=5))
def test_what_is_written_comes_back(rows: list[list[str]]) -> None:
    text = segment("FTX", *rows)
    back = split(f"UNA:+.? 'UNB+UNOW:4'{text}'BGM+1'")[1]
    given_ = [one for row in rows for one in [row]]
    for index, row in enumerate(given_, start=1):
        for position, value in enumerate(row):
            assert back.get(index, position) == value


def test_counts_and_references_that_do_not_fit_are_warned_of() -> None:
    text = "UNB+UNOA:1+A+B+260101:1200+9'UNH+1+CUSCAR:D:95B:UN'BGM+85'UNT+{}+{}'UNZ+{}+{}'"
    assert envelope(text.format(3, 1, 1, 9)) == ([("CUSCAR", ["BGM"])], [])
    assert envelope(text.format(9, 1, 1, 9))[1] == ["count"]
    assert envelope(text.format("x", 2, 2, 8))[1] == ["count", "reference", "count", "reference"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UNH+1+CUSCAR:D:95B:UN'BGM+85'UNT+3+1'", []),
        ("BGM+85+1+9'CNI+1'", ["no-interchange"]),
        ("UNB+UNOA:1+A+B+1:1+9'BGM+85+1+9'UNZ+1+9'", ["header-missing", "trailer-missing"]),
        ("UNB+UNOA:1+A+B+1:1+9'UNH+1+CUSCAR:D:95B:UN'BGM+85'UNZ+1+9'", ["trailer-missing"]),
        ("UNB+UNOA:1+A+B+1:1+9'UNH+1+CUSCAR:D:95B:UN'BGM+85'", ["trailer-missing"]),
        ("UNB+UNOA:1+A+B+1:1+9'UNH+1+:D:95B:UN'BGM+85'UNT+3+1'UNZ+1+9'", ["message-type"]),
        ("UNB+UNOA:1+A+B+1:1+9'UNG+CUSCAR+A+B+1:1+7'UNH+1'BGM+1'UNT+3+1'UNE+1+7'UNZ+1+9'", ["message-type"]),
    ],
)
def test_envelopes_that_lack_something_are_read_all_the_same(text: str, expected: list[str]) -> None:
    if expected == ["no-interchange"]:
        with pytest.raises(TranslationError):
            envelope(text)
        return
    found, warned = envelope(text)
    assert [one[0] for one in found] == ["CUSCAR"]
    assert warned == expected


def tree(text: str, definition: str) -> tuple[Group, list[str]]:
    findings = Findings()
    root = Matcher(parse(definition), findings, strict=True).tree(iter(split(f"UNB+UNOA:1'{text}")[1:]))
    return root, [one.code for one in findings.warnings]


def shape(group: Group) -> str:
    inner = " ".join([one.tag for one in group.segments] + [shape(one) for one in group.groups])
    return f"({inner})"


DEFINITION = "BGM! DTM*2 (TDT! LOC*9)*2 (CNI! (RFF! LOC*2 (GID! MEA)*9)*9)*9 CNT"


@pytest.mark.parametrize(
    ("text", "expected", "warned"),
    [
        ("BGM'DTM'TDT'LOC'CNI'RFF'LOC'GID'MEA'GID'CNT'", "(BGM DTM CNT (TDT LOC) (CNI (RFF LOC (GID MEA) (GID))))", []),
        ("BGM'CNI'RFF'GID'RFF'GID'CNI'RFF'", "(BGM (CNI (RFF (GID)) (RFF (GID))) (CNI (RFF)))", []),
        ("BGM'CNI'LOC'GID'", "(BGM (CNI (LOC (GID))))", ["trigger-missing"]),
        ("BGM'CNI'FTX'RFF'", "(BGM (CNI FTX (RFF)))", ["unexpected-segment"]),
        ("BGM'CNI'RFF'DTM'CNI'", "(BGM DTM (CNI (RFF)) (CNI))", ["segment-order"]),
        ("BGM'DTM'DTM'DTM'", "(BGM DTM DTM DTM)", ["too-many-repetitions"]),
        ("DTM'", "(DTM)", ["segment-missing"]),
    ],
)
def test_segments_fall_into_groups_as_the_definition_draws_them(text: str, expected: str, warned: list[str]) -> None:
    root, found = tree(text, DEFINITION)
    assert (shape(root), found) == (expected, warned)


def test_every_definition_parses_and_the_nearest_one_is_taken() -> None:
    assert all(parse(str(text)).places for text in STRUCTURES.values())
    assert definition_of(STRUCTURES, "CUSCAR", "D", "95B") is parse(str(STRUCTURES["CUSCAR.D.95B"]))
    assert definition_of(STRUCTURES, "CUSCAR", "D", "01A") is parse(str(STRUCTURES["CUSCAR.D.99B"]))
    assert definition_of(STRUCTURES, "CUSCAR", "D", "88A") is parse(str(STRUCTURES["CUSCAR.D.94B"]))
    for broken in ("BGM (", "BGM )", "(DTM", "bgm", "()"):
        with pytest.raises(ValueError, match=r"group|definition"):
            parse(broken)
