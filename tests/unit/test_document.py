"""Promises about documents: hostile bytes are refused quickly and in little memory, times and references are exact."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters import document as module
from adapters.document import Document, Findings, Identifiers, Origin, parse_xml, place_of, read_date, read_time, text
from adapters.formats import by_name
from adapters.translator import messages
from schemas.base import rfc3339
from schemas.errors import TranslationError

SEOUL = ZoneInfo("Asia/Seoul")
SECRET = "file:///etc/hostname"
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


def refusal(content: bytes) -> set[str]:
    with pytest.raises(TranslationError) as caught:
        parse_xml(content)
    assert all(fault.detail for fault in caught.value.faults)
    return {fault.code for fault in caught.value.faults}


HOSTILE = {
    "entities that multiply, in an element": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
    "entities that multiply, in an attribute": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a b="&l9;"/>',
    "one long entity many times": f'<!DOCTYPE a [<!ENTITY x "{"A" * 99_999}">]><a>{"&x;" * 9_999}</a>',
    "an entity of one character": '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    "an external entity": f'<!DOCTYPE a [<!ENTITY x SYSTEM "{SECRET}">]><a>&x;</a>',
    "an external entity in an attribute": f'<!DOCTYPE a [<!ENTITY x SYSTEM "{SECRET}">]><a b="&x;"/>',
    "an external document type": f'<!DOCTYPE a SYSTEM "{SECRET}"><a/>',
    "a document type on the network": '<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a>&x;</a>',
    "a parameter entity": f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{SECRET}"> %p;]><a/>',
    "a bare document type": "<!DOCTYPE a><a/>",
    "default attributes": '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_document_type_is_refused_whatever_it_carries(content: str) -> None:
    started = time.process_time()
    assert refusal(content.encode()) <= {"document-type", "not-well-formed"}
    assert time.process_time() - started < 1


@pytest.mark.parametrize("content", [text for name, text in HOSTILE.items() if name != "a bare document type"])
def test_a_document_that_declares_anything_is_refused_wherever_it_stands(content: str) -> None:
    for before in ("", '<?xml version="1.0"?>', "<!-- <!DOCTYPE a><a -->", "<!-- <!DOCTYPE a><a -->" + " " * 5000):
        document = Document((before + content).encode())
        with pytest.raises(TranslationError) as error:
            document.xml  # noqa: B018
        assert {fault.code for fault in error.value.faults} <= {"document-type", "not-well-formed"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_document_type_that_declares_nothing_is_read(encoding: str) -> None:
    for content in ("<!DOCTYPE a><a/>", '<?xml version="1.0"?>\n<!-- - -->\n<!DOCTYPE x:b-1 >\n<?p ?><a b="c"/>'):
        document = Document(content.encode(encoding))
        assert document.has_bare_type
        assert document.xml.tag == "a"
        undeclared = Document(content.replace("<a", "<a>&x;</a><a").encode(encoding))
        with pytest.raises(TranslationError):
            undeclared.xml  # noqa: B018
    assert not Document(b"<a/>").has_bare_type
    latin = Document(b'<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE a><a>\xfc</a>')
    assert text(latin.xml) == "\u00fc"


def test_a_document_type_is_refused_where_the_encoding_can_hide_another() -> None:
    # To who looks at bytes alone the comment ends early, and a bare document type and a tag follow.
    hidden = "<!-- \u2d2d\u3c3e\u4421\u434f\u5954\u4550\u6120\u3c3e\u2061 -->"
    attack = f'\ufeff{hidden}<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16-le")
    assert b"--><!DOCTYPE a><a" in attack.replace(b"\x00", b"")
    declared = [b'<?xml version="1.0" encoding="%s"?><!DOCTYPE a><a/>' % name for name in (b"ISO-2022-JP", b"GBK")]
    for content in (attack, "<!DOCTYPE a><a/>".encode("utf-16"), *declared):
        document = Document(content)
        assert not document.has_bare_type
        with pytest.raises(TranslationError):
            document.xml  # noqa: B018
    assert not Document(b"{}").has_bare_type


def test_a_document_type_is_told_on_the_messages() -> None:
    alert = (
        '<?xml version="1.0"?><!DOCTYPE alert><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>1'
        "</identifier><sender>s@example.org</sender><sent>2026-03-01T08:00:00+09:00</sent><status>Actual</status>"
        "<msgType>Alert</msgType><scope>Public</scope><info><category>Health</category><event>Pest</event>"
        "<urgency>Future</urgency><severity>Minor</severity><certainty>Likely</certainty></info></alert>"
    )
    document = Document(alert.encode())
    (message,) = messages(by_name("cap"), document, Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC)))
    assert [warning.code for warning in message.data.native.warnings] == ["document-type"]


BROKEN = {
    "empty": b"",
    "blank": b" \n\t",
    "truncated": b"<a><b>text",
    "binary": bytes(range(256)) * 64,
    "NUL in the text": b"<a>\x00</a>",
    "NUL alone": b"\x00" * 512,
    "a forbidden character reference": b"<a>&#0;</a>",
    "two roots": b"<a/><b/>",
    "an undeclared prefix": b"<x:a/>",
    "bytes that are not UTF-8": '<?xml version="1.0" encoding="UTF-8"?><a>ü</a>'.encode("latin-1"),
    "UTF-8 that says it is UTF-16": '<?xml version="1.0" encoding="UTF-16"?><a>ü</a>'.encode(),
    "an encoding nobody knows": b'<?xml version="1.0" encoding="X-NONE"?><a/>',
    "EBCDIC": '<?xml version="1.0" encoding="IBM037"?><a/>'.encode("cp037"),
    "a million levels": b"<a>" * 10**6,
    "a million levels, closed": b"<a>" * 499_999 + b"</a>" * 499_999,
    "a hundred and one levels": b"<a>" * 101 + b"</a>" * 101,
    "two million elements": b"<a>" + b"<b/>" * 2 * 10**6 + b"</a>",
    "two million attributes": b"<a>" + (b"<b " + b"".join(b'c%d="" ' % i for i in range(2000)) + b"/>") * 1000,
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-',
    "UTF-7 in UTF-16": '<?xml version="1.0" encoding="utf-7"?><a/>'.encode("utf-16-le"),
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_xml_is_refused_in_time_with_a_place_and_a_rule(content: bytes) -> None:
    started = time.process_time()
    assert refusal(content) <= {"not-well-formed", "too-deep", "too-much-markup", "encoding"}
    assert time.process_time() - started < 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "euc-kr", "windows-1252"])
def test_text_is_read_in_the_encoding_that_the_document_names(encoding: str) -> None:
    word = "부산" if encoding == "euc-kr" else "Müller"
    named = encoding.removesuffix("-sig")
    content = f'<?xml version="1.0" encoding="{named}"?><a><b>{word}</b></a>'.encode(encoding)
    assert Document(content).looks_like_xml
    assert text(Document(content).xml, "b") == word


def test_a_hundred_levels_are_read() -> None:
    assert parse_xml(b"<a>" * 100 + b"</a>" * 100).tag == "a"


def test_nothing_that_a_document_refers_to_is_opened() -> None:
    content = (
        '<?xml-stylesheet href="file:///etc/hostname"?><a xmlns:i="http://www.w3.org/2001/XInclude">'
        f'<i:include href="{SECRET}" parse="text"/></a>'
    )
    assert text(parse_xml(content.encode())) is None


def test_a_document_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TranslationError) as caught:
        Document(b"x" * 101, max_bytes=100)
    assert [fault.code for fault in caught.value.faults] == ["too-large"]
    assert Document(b"x" * 100, max_bytes=100).content


def test_the_costliest_document_within_the_limits_is_parsed_in_half_a_gigabyte() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "from adapters.document import MAX_MARKUP, parse_xml\n"
        "parse_xml(b'<r>' + b'<a/>x' * (MAX_MARKUP - 10) + b'</r>')\n"
        # Not `ru_maxrss`, which begins with what the process had that started this one.
        "print(next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM')) // 1024)"
    )
    started = time.process_time()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=120)
    assert int(done.stdout) < 512
    assert time.process_time() - started < 60


@given(st.binary(max_size=300))
@example(b"<a xmlns:b='c'><b:d/></a>")
def test_any_bytes_are_an_element_or_a_refusal(content: bytes) -> None:
    document = Document(content)
    assert document.looks_like_xml in (True, False)
    try:
        root = document.xml
    except TranslationError:
        return
    assert place_of(root).startswith("/")


@given(st.data())
def test_mutated_xml_is_an_element_or_a_refusal(data: st.DataObject) -> None:
    content = bytearray(b'<?xml version="1.0" encoding="UTF-8"?><a b="c"><!-- d --><e><![CDATA[f]]>&amp;</e></a>')
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        root = Document(bytes(content)).xml
    except TranslationError:
        return
    assert place_of(root).startswith("/")


def test_a_place_counts_only_where_siblings_share_the_name_and_gives_the_line() -> None:
    root = parse_xml(b"<x:a xmlns:x='urn:x'>\n<b/>\n<c><d/></c>\n<c><x:d/></c></x:a>")
    places = [place_of(element) for element in root.iter()]
    assert places == ["/a (line 1)", "/a/b (line 2)", "/a/c[1] (line 3)", "/a/c[1]/d (line 3)",
                      "/a/c[2] (line 4)", "/a/c[2]/d (line 4)"]  # fmt: skip


def test_places_among_a_hundred_thousand_siblings_take_no_time() -> None:
    root = parse_xml(b"<a>" + b"<b/>" * 100_000 + b"</a>")
    started = time.process_time()
    for index in range(-100, 0):
        assert place_of(root[index]).startswith(f"/a/b[{100_001 + index}]")
    assert time.process_time() - started < 2


moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 (the zone is the test's matter)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, offsets)
def test_what_isoformat_writes_with_an_offset_is_read_back(moment: datetime, offset: timezone) -> None:
    aware = moment.replace(tzinfo=offset)
    assert read_time(aware.isoformat(), SEOUL) == (aware, False)


@given(moments)
def test_a_time_without_a_zone_is_read_in_the_zone_given_and_says_so(moment: datetime) -> None:
    read = read_time(moment.isoformat(), SEOUL)
    assert read is not None
    assert read[1] is True
    assert read[0].replace(tzinfo=None) == moment
    assert abs((read[0] - moment.replace(tzinfo=SEOUL)).total_seconds()) < 60


@given(moments.map(lambda m: m.replace(second=0, microsecond=0)))
def test_basic_and_extended_forms_are_the_same_moment(moment: datetime) -> None:
    assert read_time(f"{moment:%Y%m%d%H%M}", SEOUL) == read_time(f"{moment:%Y-%m-%dT%H:%M}", SEOUL)
    assert read_time(f"{moment:%Y%m%d}", SEOUL) == read_time(f"{moment:%Y-%m-%d}", SEOUL)
    assert read_date(f"{moment:%Y%m%d}") == moment.date()


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-?\d\d-?\d\d([T ]\d\d:?\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?"))
@example("0001-01-01T00:00+23:59")
@example("9999-12-31T23:59-23:59")
@example("190001010000")
@example("20240230")
@example("2024-01-01T00:00+24:00")
def test_any_text_is_a_time_that_rfc_3339_can_write_or_none(value: str) -> None:
    for zone in (UTC, SEOUL):
        read = read_time(value, zone)
        if read is not None:
            assert datetime.fromisoformat(rfc3339(read[0])) == read[0]
            assert read[0].astimezone(UTC) == read[0]
            assert (read[0].utcoffset() or timedelta()) % timedelta(minutes=1) == timedelta()


@pytest.mark.parametrize(
    "value", ["", "2024", "2024-13-01", "2024-01-01T25:00", "24-01-01", "２０２４0101", "tomorrow"]
)
def test_what_is_no_iso_8601_is_none(value: str) -> None:
    assert read_time(value, SEOUL) is None
    assert read_date(value) is None


def test_references_come_out_once_in_upper_case_without_blanks_in_order() -> None:
    references = Identifiers()
    references.add("ucr", " 6kr abc-1 ")
    references.add("container", "cbmu 123456 7", "kr.border")
    references.add("ucr", "6KRABC-1", "somebody")
    references.add("mrn", None)
    references.add("mrn", " \u00a0\n")
    references.add("lrn", "L" * 257)
    assert [(i.scheme, i.value, i.issuer) for i in references.as_list()] == [
        ("ucr", "6KRABC-1", None),
        ("container", "CBMU1234567", "kr.border"),
    ]
    assert references.first("mrn", "container", "ucr") == "CBMU1234567"
    assert references.first("mrn") is None


@given(st.text(max_size=300), st.none() | st.text(max_size=600))
@example("x", "i" * 513)
@example("x" * 257, " ")
def test_no_reference_breaks_the_gathering(value: str, issuer: str | None) -> None:
    references = Identifiers()
    references.add("other", value, issuer)
    for found in references.as_list():
        assert found.value == "".join(value.split()).upper()


def test_warnings_end_at_a_hundred_and_faults_are_all_told() -> None:
    findings = Findings()
    for _ in range(module.MAX_WARNINGS + 50):
        findings.warn("odd", "", "x" * 1000)
        findings.fault("wrong", "/a", "rule")
    assert len(findings.warnings) == module.MAX_WARNINGS
    assert (findings.warnings[0].pointer, len(findings.warnings[0].detail)) == ("/", 512)
    with pytest.raises(TranslationError) as caught:
        findings.settle()
    assert len(caught.value.faults) == module.MAX_WARNINGS + 50


@pytest.mark.parametrize(
    ("value", "kept"), [("\u00df" * 128, 1), ("\u00df" * 129, 0), ("a" * 256, 1), ("a b" * 120, 1), (" ", 0)]
)
def test_a_reference_is_as_long_as_its_normal_form(value: str, kept: int) -> None:
    found = Identifiers()
    found.add("other", value)
    assert len(found.as_list()) == kept
