"""EDIFACT messages in and out: what customs and border police must be able to rely on."""

import contextlib
import time
import tracemalloc
import warnings as python_warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.document import Document, Findings, Origin
from adapters.edifact import TRANSLATORS
from adapters.edifact_acknowledge import ApplicationErrors, acknowledge
from adapters.edifact_cuscar import CargoReports
from adapters.edifact_cusres import Responses
from adapters.edifact_envelope import read_messages
from adapters.edifact_structure import Matcher, definition_of
from adapters.edifact_syntax import chunks_of, segments
from adapters.formats import FORMATS, recognise
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Translator, messages
from schemas import Message, build
from schemas.envelope import parse
from schemas.errors import Fault, TranslationError
from tests.edifact_documents import ALL, ARRIVAL, CARGO_REPORT, DECLARATION, DISCHARGE, GATE, PASSENGERS, RESPONSE

SEOUL = ZoneInfo("Asia/Seoul")
ORIGIN = Origin("kr.customs", datetime(2026, 3, 5, tzinfo=UTC), SEOUL)
READERS = [one for one in TRANSLATORS if one.can_read]


def read(text: str | bytes, name: str = "", origin: Origin = ORIGIN) -> list[Any]:
    document = Document(text if isinstance(text, bytes) else text.encode())
    translator: Translator = FORMATS[name] if name else recognise(document)[0]
    return list(messages(translator, document, origin))


def read_one(text: str | bytes, name: str = "") -> Any:
    (message,) = read(text, name)
    return message


def refusal(text: str, name: str) -> list[tuple[str, str]]:
    with pytest.raises(TranslationError) as caught:
        read(text, name)
    return [(fault.code, fault.pointer) for fault in caught.value.faults]


def warnings(message: Any) -> list[str]:
    return [one.code for one in message.data.native.warnings or []]


def identifiers(message: Any) -> list[tuple[str, str]]:
    return [(one.scheme, one.value) for one in message.data.identifiers]


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_type_is_recognised_by_its_header_and_read_without_a_warning(name: str) -> None:
    document = Document(ALL[name].encode())
    translator, sure = recognise(document)
    assert (translator.name, sure) == (name, 1.0)
    found = messages(translator, document, ORIGIN)
    for message in found:
        assert warnings(message) == []
        assert parse(message.to_bytes()) == message
    assert [one.to_bytes() for one in found] == [one.to_bytes() for one in messages(translator, document, ORIGIN)]


def test_no_other_format_claims_an_edifact_document_and_edifact_claims_no_other() -> None:
    for text in ALL.values():
        document = Document(text.encode())
        assert [one.name for one in FORMATS.values() if one.can_read and one.recognise(document) > 0.5] == [
            recognise(document)[0].name
        ]
    for other in (
        b"<UNH>+1+CUSCAR:D:95B</UNH>",
        b'{"a": "UNB+UNOA"}',
        b"",
        b"UNH",
        b"UNB+UNOC:3'UNH+1+INVOIC:D:96A:UN'",
    ):
        assert not any(one.recognise(Document(other)) for one in READERS)


def test_a_cargo_report_gives_a_message_for_each_consignment() -> None:
    first, second = read(CARGO_REPORT)
    assert (first.type, first.subject) == ("shipment.declared", "HSLTH26000417")
    assert identifiers(first) == [
        ("lrn", "HSL-26-0412"),
        ("transport-document", "HSLTH26000417"),
        ("container", "CSQU3054383"),
        ("seal", "THS0041877"),
        ("seal", "KRC88213"),
    ]
    assert first.data.occurred == datetime(2026, 3, 1, 9, 10, tzinfo=SEOUL)
    assert first.data.zone_assumed
    assert first.data.place.model_dump(exclude_none=True) == {
        "locode": "KRPUS", "country": "KR", "name": "Busan", "facility": "PNIT",
    }  # fmt: skip
    transport = first.data.transport
    assert (transport.mode, transport.means.scheme, transport.means.value) == ("1", "imo", "9074729")
    assert (transport.voyage, transport.carrier) == ("0412E", "HSL")
    (goods,) = first.data.goods
    assert (goods.hs, goods.origin, goods.packages, goods.gross_mass_kg) == ("060290", "TH", 320, 5120.5)
    assert (goods.description, goods.un_number) == ("ORCHIDS, LIVE: PHALAENOPSIS", "3077")
    assert [(one.role, one.name) for one in first.data.parties] == [
        ("consignor", "SIAM ORCHID EXPORT CO LTD"),
        ("consignee", "HANBIT PLANTS"),
        ("notify", "HANBIT FORWARDING"),
        ("submitter", "HANSEA LINE KOREA"),
    ]
    assert first.data.equipment[0].seals == ["THS0041877", "KRC88213"]
    assert second.subject == "6KR1208814-MACH-22"
    (machines,) = second.data.goods
    assert (machines.gross_mass_kg, machines.value.amount, machines.value.currency) == (2500, 125000.5, "USD")


@pytest.mark.parametrize(
    ("code", "event", "warned"),
    [("9", "declared", []), ("4", "amended", []), ("5", "amended", []), ("1", "withdrawn", []), ("3", "withdrawn", []),
     ("7", "declared", ["repeated"]), ("", "declared", ["function-missing"])],
)  # fmt: skip
def test_the_function_code_says_what_a_report_does(code: str, event: str, warned: list[str]) -> None:
    for message in read(CARGO_REPORT.replace("HSL-26-0412+9", f"HSL-26-0412+{code}")):
        assert (message.type, warnings(message)) == (f"shipment.{event}", warned)


def test_a_function_that_is_no_number_is_refused_with_its_place() -> None:
    faults = refusal(CARGO_REPORT.replace("HSL-26-0412+9", "HSL-26-0412+X"), "edifact-cuscar")
    assert faults == [("function-code", "segment 2 (BGM) of message 7001, line 3")]


def test_every_consignment_without_a_reference_is_told_of() -> None:
    text = CARGO_REPORT.replace("CNI+1+HSLTH26000417", "CNI+1").replace("RFF+BM:HSLTH26000417'\n", "")
    text = text.replace("SGP+CSQU3054383+320'\n", "").replace("CNI+2+HSLTH26000418", "CNI+2")
    text = text.replace("RFF+BM:HSLTH26000418'\nRFF+UCN:6KR1208814-MACH-22'\n", "").replace("SGP+MSKU6874333'\n", "")
    assert refusal(text, "edifact-cuscar") == [
        ("no-identifier", "segment 13 (CNI) of message 7001, line 14"),
        ("no-identifier", "segment 25 (CNI) of message 7001, line 26"),
    ]


def test_a_report_of_before_consignments_were_told_apart_is_one() -> None:
    text = (
        "UNB+UNOA:2+A+B+950101:1200+1'UNH+1+CUSCAR:D:94B:UN'BGM+85+M1+9'DTM+137:9501011200:201'RFF+BM:B1'"
        "GID+1+4:CT'SGP+MSKU6874333'EQD+CN+MSKU6874333'SEL+S1'UNT+8+1'UNZ+1+1'"
    )
    message = read_one(text)
    assert identifiers(message) == [
        ("lrn", "M1"), ("transport-document", "B1"), ("container", "MSKU6874333"), ("seal", "S1"),
    ]  # fmt: skip
    assert message.data.occurred.year == 1995


def test_several_messages_of_an_interchange_are_read_and_those_of_other_types_passed_over() -> None:
    body = CARGO_REPORT.split("\n", 1)[1].rsplit("UNZ", 1)[0]
    text = f"UNB+UNOC:3+A+B+260301:0915+1'\n{body}UNH+9+INVOIC:D:96A:UN'BGM+380'UNT+3+9'{body}UNZ+3+1'"
    found = read(text, "edifact-cuscar")
    assert len(found) == 4
    assert len({one.id for one in found}) == 4
    assert set(warnings(found[0])) == {"other-message"}
    assert refusal(text, "edifact-codeco") == [("no-message", "")]


def test_a_declaration_for_test_is_marked_so_and_keeps_its_certificate() -> None:
    message = read_one(DECLARATION)
    assert message.test is True
    assert message.subject == "6KR1208814-PLANTS-0417"
    assert ("certificate", "TH-PQ-2026-009881") in identifiers(message)
    assert ("lrn", "26-DEC-0007") in identifiers(message)
    assert message.data.zone_assumed is None
    (goods,) = message.data.goods
    assert (goods.hs, goods.packages, goods.origin) == ("060290", 320, "TH")
    assert [one.role for one in message.data.parties] == ["importer", "declarant"]


def test_terminals_reports_say_what_happened_to_each_container() -> None:
    first, second = read(DISCHARGE)
    assert (first.type, first.subject, second.subject) == ("shipment.discharged", "CSQU3054383", "MSKU6874333")
    assert second.data.occurred == datetime(2026, 3, 2, 21, 45, tzinfo=SEOUL)
    assert first.data.place.locode == "KRPUS"
    gate = read_one(GATE)
    assert (gate.type, gate.data.place.facility) == ("shipment.gated-out", "PNIT")
    assert read_one(GATE.replace("BGM+36", "BGM+34")).type == "shipment.gated-in"
    order = read_one(ALL["edifact-coprar"])
    assert (order.type, order.data.classifier) == ("shipment.loaded", "planned")
    assert refusal(GATE.replace("BGM+36", "BGM+77"), "edifact-codeco")[0][0] == "document-name"
    assert refusal(GATE.replace("EQD+CN+CSQU3054383", "EQD+CN+"), "edifact-codeco")[0][0] == "no-identifier"


def test_what_strays_before_the_first_container_or_consignment_is_none() -> None:
    found = read(DISCHARGE.replace("NAD+CA+HSL:160:20'\n", "NAD+CA+HSL:160:20'\nDGS+IMD+3+1366'\n"))
    assert [one.subject for one in found] == ["CSQU3054383", "MSKU6874333"]
    assert warnings(found[0]) == ["trigger-missing", "count"]
    first, second = read(CARGO_REPORT.replace("LOC+60", "GID+7'LOC+60"))
    assert (first.subject, second.subject) == ("HSLTH26000417", "6KR1208814-MACH-22")
    assert first.data.equipment[0].type == "22G1"


def test_a_ships_report_is_planned_estimated_or_done() -> None:
    message = read_one(ARRIVAL)
    assert (message.type, message.data.classifier, message.data.place.locode) == (
        "shipment.arrived", "estimated", "KRPUS",
    )  # fmt: skip
    done = read_one(ARRIVAL.replace("DTM+132", "DTM+178"))
    assert (done.type, done.data.classifier) == ("shipment.arrived", None)
    left = read_one(ARRIVAL.replace("BGM+98", "BGM+833"))
    assert (left.type, left.data.place.locode) == ("shipment.departed", "THLCH")


PERSONAL = ("VANDERBERG", "WILHELMINA", "NX1234567", "71071", "NLD", "18JUL71", "ABC123", "111 1111", "DESK")


@pytest.mark.parametrize("name", ["edifact-paxlst", "edifact-pnrgov"])
def test_of_passengers_only_flight_ports_and_counts_are_read(name: str) -> None:
    departed, arrived = read(ALL[name])
    assert (departed.type, arrived.type) == ("shipment.departed", "shipment.arrived")
    assert departed.subject == arrived.subject == "KL855/20260301"
    assert (departed.data.place.name, arrived.data.place.name) == ("AMS", "ICN")
    assert departed.data.occurred == datetime(2026, 3, 1, 21, tzinfo=SEOUL)
    assert arrived.data.occurred == datetime(2026, 3, 2, 15, 55, tzinfo=SEOUL)
    assert departed.data.goods[0].packages in (1, 2)
    for message in (departed, arrived):
        assert not [one for one in PERSONAL if one in message.to_bytes().decode()]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["edifact-paxlst", "edifact-pnrgov"]))
def test_nothing_of_a_person_is_told_however_the_list_is_broken(data: st.DataObject, name: str) -> None:
    lines = ALL[name].splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(lines) - 1))
        lines[at] = data.draw(st.sampled_from(["", lines[at][:-1], lines[at][3:], lines[at] + "'", lines[at - 1]]))
    try:
        told = b"".join(message.to_bytes() for message in read("\n".join(lines), name)).decode()
    except TranslationError as error:
        told = str(error)
    assert not [one for one in ("VANDERBERG", "WILHELMINA", "NX1234567", "18JUL71") if one in told]


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("20260301", "102", "2026-03-01T00:00:00+09:00"),
        ("260301", "101", "2026-03-01T00:00:00+09:00"),
        ("2603010910", "201", "2026-03-01T09:10:00+09:00"),
        ("202603010910", "203", "2026-03-01T09:10:00+09:00"),
        ("20260301091007", "204", "2026-03-01T09:10:07+09:00"),
        ("202603010910?+0200", "205", "2026-03-01T09:10:00+02:00"),
        ("20260301091007-0330", "208", "2026-03-01T09:10:07-03:30"),
        ("202603010910UTC", "303", "2026-03-01T09:10:00+00:00"),
        ("20260301091007?+01", "304", "2026-03-01T09:10:07+01:00"),
        ("20260301-20260305", "718", "2026-03-01T00:00:00+09:00"),
        ("202603012400", "203", "2026-03-01T23:59:59+09:00"),
        ("20260301", "203", "2026-03-01T00:00:00+09:00"),
        ("202603010910XYZ", "303", "2026-03-01T09:10:00+09:00"),
        ("010326", "2", "2026-03-01T00:00:00+09:00"),
        ("202613019910", "203", "2026-03-01T09:15:00+09:00"),
        ("202603", "610", "2026-03-01T09:15:00+09:00"),
    ],
)
def test_dates_are_read_in_the_formats_of_the_directory(value: str, code: str, expected: str) -> None:
    text = CARGO_REPORT.replace("DTM+137:202603010910:203", f"DTM+137:{value}:{code}")
    assert read(text, "edifact-cuscar")[0].data.occurred.isoformat() == expected


def test_a_response_is_the_authoritys_decision() -> None:
    message = read_one(RESPONSE)
    assert (message.type, message.subject) == ("shipment.released", "26KR123456789012345")
    assert message.data.decision.model_dump(exclude_none=True) == {
        "authority": "kr.customs", "outcome": "released", "reason": "RELEASED WITHOUT EXAMINATION",
    }  # fmt: skip
    assert message.data.occurred == datetime(2026, 3, 2, 0, 55, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("5", "selected-for-inspection"),
        ("6", "documents-required"),
        ("7", "held"),
        ("33", "rejected"),
        ("1", "declared"),
    ],
)
def test_the_processing_indicator_decides(code: str, event: str) -> None:
    assert read_one(RESPONSE.replace("GIS+4'", f"GIS+{code}'")).type == f"shipment.{event}"


def test_no_response_releases_by_mistake() -> None:
    both = read_one(RESPONSE.replace("GIS+4'", "GIS+4'GIS+5'").replace("UNT+11", "UNT+12"))
    assert (both.type, warnings(both)) == ("shipment.selected-for-inspection", ["contradiction"])
    back = read_one(RESPONSE.replace("R-1+11", "R-1+1"))
    assert (back.type, back.data.decision.outcome) == ("shipment.held", "release-cancelled")
    transfer = read_one(RESPONSE.replace("GIS+4'", "GIS+8'"))
    assert (transfer.type, transfer.data.decision.outcome) == ("shipment.declared", "transfer-permitted")
    worded = read_one(
        RESPONSE.replace("95B", "21A").replace("GIS+4'", "GEI+5+7:::released'").replace("GIS+23'", "GEI+5+23'")
    )
    assert worded.type == "shipment.held"


def test_a_response_without_a_decision_is_refused_and_errors_reject() -> None:
    text = RESPONSE.replace("GIS+4'\n", "")
    assert refusal(text, "edifact-cusres") == [("no-decision", "segment 2 (BGM) of message 1, line 3")]
    later = text.replace("D:95B", "D:96B").replace("UNT+11", "ERP+2'ERC+E17'FTX+AAO+++WRONG CODE'UNT+13")
    message = read_one(later, "edifact-cusres")
    assert (message.type, message.data.decision.reason) == (
        "shipment.rejected", "RELEASED WITHOUT EXAMINATION\nE17: WRONG CODE",
    )  # fmt: skip


def test_a_profile_may_give_a_code_another_meaning() -> None:
    own = Profile("own", "own", "1", NEUTRAL, {"edifact": {"processing": {"4": ["held", "national-hold"]}}})
    origin = Origin("kr.customs", ORIGIN.received, SEOUL, own)
    (message,) = read(RESPONSE, "edifact-cusres", origin)
    assert (message.type, message.data.decision.outcome) == ("shipment.held", "national-hold")


def content_of(message: Any) -> dict[str, Any]:
    body: dict[str, Any] = message.model_dump(exclude={"id", "traceparent", "source"}, exclude_none=True)
    body["data"].pop("native", None)
    return body


def is_valid(written: bytes) -> None:
    """The interchange fits its envelope and the segment table of its directory to the last segment."""
    findings = Findings()
    table = NEUTRAL.table("edifact_structures", "structure")
    tokens = segments(chunks_of(written), findings, NEUTRAL.table("edifact", "charset"))
    for message in read_messages(tokens, findings, {}):
        heading = message.heading
        definition = definition_of(table, heading.type, heading.version, heading.release)
        Matcher(definition, findings, strict=True).tree(message.segments)
    assert findings.warnings == []


def pydifact_reads(written: bytes) -> list[str]:
    from pydifact.segmentcollection import Interchange

    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        text = written.decode("utf-8" if b"UNOW" in written else "latin-1")
        return [one.type for one in Interchange.from_str(text).get_messages()]


def decision(**changes: Any) -> Message:
    data: dict[str, Any] = {
        "identifiers": [
            {"scheme": "ucr", "value": "6KR1208814-PLANTS-0417"},
            {"scheme": "lrn", "value": "26-DEC-0007"},
            {"scheme": "transport-document", "value": "HSLTH26000417"},
            {"scheme": "container", "value": "CSQU3054383"},
            {"scheme": "seal", "value": "S+1'?:"},
        ],
        "occurred": "2026-03-02T08:00:00+05:30",
        "place": {"locode": "KRPUS", "country": "KR", "name": "Busan", "facility": "Pier 7"},
        "transport": {"mode": "1", "means": {"scheme": "imo", "value": "9074729"}, "voyage": "0412E"},
        "equipment": [{"number": "CSQU3054383", "type": "22G1"}],
        "decision": {
            "authority": "kr.customs", "outcome": "released", "item": 3, "version": 2,
            "reason": "Seal intact: it's fine?\n" + "long text " * 90,
        },
    }  # fmt: skip
    type_ = changes.pop("type", "shipment.released")
    data |= changes
    return build(
        specversion="1.0", id="m-1", source="kr.customs", type=type_, subject="6KR1208814-PLANTS-0417",
        time=datetime(2026, 3, 2, 3, 0, tzinfo=UTC), datacontenttype="application/json",
        dataschema="urn:cbm:shipment:1", data=data,
    )  # fmt: skip


def test_a_decision_goes_out_as_a_response_and_comes_back_the_same() -> None:
    message = decision()
    written = FORMATS["edifact-cusres"].write(message)
    assert written == FORMATS["edifact-cusres"].write(message)
    is_valid(written)
    assert pydifact_reads(written) == ["CUSRES"]
    back = read_one(written)
    assert back.type == "shipment.released"
    given_, found = content_of(message)["data"], content_of(back)["data"]
    assert found["decision"].pop("reason").split() == given_["decision"].pop("reason").split()
    assert found["occurred"].isoformat() == "2026-03-02T08:00:00+05:30"
    assert found == given_


EVENTS = ["declared", "amended", "withdrawn", "rejected", "documents-required", "selected-for-scan",
          "selected-for-inspection", "inspected", "held", "released", "refused", "exited"]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("outcome", ["", "released", "own-word", "detained"])
def test_no_event_and_no_outcome_is_lost_on_the_way_out_and_back(event: str, outcome: str) -> None:
    message = decision(type=f"shipment.{event}", decision={"outcome": outcome or event})
    written = Responses().write(message)
    is_valid(written)
    back = read_one(written)
    assert (back.type, back.data.decision.outcome) == (message.type, outcome or event)


def test_what_latin_1_cannot_hold_goes_out_in_utf_8() -> None:
    message = decision(decision={"outcome": "held", "reason": "검사 필요"})
    written = Responses().write(message)
    assert b"UNOW:4" in written
    assert read_one(written).data.decision.reason == "검사 필요"
    assert pydifact_reads(written) == ["CUSRES"]


def test_what_is_no_decision_has_no_words() -> None:
    for type_ in ("shipment.loaded", "shipment.gated-in"):
        with pytest.raises(TranslationError, match="no-words"):
            Responses().write(decision(type=type_))
    with pytest.raises(TranslationError, match="no-identifier"):
        Responses().write(decision(identifiers=[{"scheme": "other", "value": "X" * 100}]))
    for translator in TRANSLATORS:
        if not translator.can_write:
            with pytest.raises(TranslationError, match="cannot-write"):
                translator.write(decision())


texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=90)
times = st.integers(31_536_000, 3_124_137_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@st.composite
def decisions(draw: st.DrawFn) -> Message:
    schemes = st.sampled_from(
        ["ucr", "mrn", "lrn", "transport-document", "certificate", "container", "equipment", "seal", "other"]
    )
    rows = draw(st.lists(st.tuples(schemes, texts.filter(lambda one: one.strip())), min_size=1, max_size=6))
    moment = draw(times).astimezone(draw(zones))
    optional = {
        "place": st.fixed_dictionaries({}, optional={"locode": st.just("KRPUS"), "name": texts, "facility": texts}),
        "transport": st.fixed_dictionaries(
            {}, optional={"mode": st.sampled_from("1234"), "voyage": texts, "carrier": texts}
        ),
        "equipment": st.lists(st.fixed_dictionaries({"number": st.sampled_from(["MSKU6874333", "T1"])}), max_size=2),
    }
    data = {key: draw(one) for key, one in optional.items() if draw(st.booleans())}
    return decision(
        type=f"shipment.{draw(st.sampled_from(EVENTS))}",
        identifiers=[{"scheme": scheme, "value": value} for scheme, value in rows],
        occurred=moment,
        decision={"outcome": draw(st.sampled_from(["released", "x", "own-word"])), "reason": draw(texts)},
        **data,
    )


@settings(max_examples=150, deadline=None)
@given(decisions())
def test_any_decision_written_is_valid_and_stays_the_same_once_read(message: Message) -> None:
    try:
        first = Responses().write(message)
    except TranslationError as error:
        assert {one.code for one in error.faults} <= {"no-identifier"}  # noqa: PT017 (either outcome is right)
        return
    is_valid(first)
    try:
        once = read_one(first, "edifact-cusres")
    except TranslationError as error:
        # Nothing but equipment numbers that no reference qualifier reads back as such.
        assert {one.code for one in error.faults} == {"no-identifier"}  # noqa: PT017
        return
    again = read_one(Responses().write(once), "edifact-cusres")
    assert content_of(again) == content_of(once)
    assert once.type == message.type


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_mutation_of_a_document_breaks_a_reader(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ALL)))
    content = bytearray(ALL[name].encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        end = min(len(content), at + data.draw(st.integers(0, 12)))
        content[at:end] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"'", b"+", b":", b"?", b"9" * 30, b"CNI'"])
        )
        content = content or bytearray(b"x")
    document = Document(bytes(content))
    for translator in READERS:
        translator.recognise(document)
        try:
            found = messages(translator, document, ORIGIN)
        except TranslationError as error:
            assert error.faults  # noqa: PT017 (either outcome is right)
        else:
            assert all(parse(one.to_bytes()) == one for one in found)


def manifest(consignments: int) -> Iterator[bytes]:
    head, rest = CARGO_REPORT.split("CNI+1", 1)
    body = ("CNI+1" + rest.split("CNI+2", 1)[0]).encode()
    yield head.encode()
    for _ in range(consignments // 50):
        yield body * 50
    yield b"UNT+1+7001'UNZ+1+26030109150001'"


def test_a_manifest_of_any_length_streams_in_the_memory_of_one_consignment() -> None:
    peaks = []
    for consignments in (200, 1600):
        tracemalloc.start()
        count = sum(1 for _ in CargoReports().stream(manifest(consignments), ORIGIN, Findings()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == consignments
    assert peaks[1] < peaks[0] * 1.2 + 200_000


@pytest.mark.parametrize("unit", ["CNI+1+A'", "CNI+1'"])
def test_a_report_denser_than_any_cargo_is_refused_before_it_costs_a_hundred_times_its_length(unit: str) -> None:
    text = "UNB+UNOA:2+A+B+260101:0000+1'UNH+1+CUSCAR:D:95B:UN'BGM+785+1+9'RFF+ED:26KRABC'"
    text += unit * (50_000 // len(unit))
    tracemalloc.start()
    codes = {code for code, _ in refusal(text, "edifact-cuscar")}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert codes == {"too-many-messages"}
    assert peak < 64 * len(text) + 8_000_000


@pytest.mark.parametrize(
    ("name", "head", "unit"),
    [
        ("edifact-cusdec", "UNH+1+CUSDEC:D:95B:UN'BGM+929+1+9'", "DTM+137:99999999:102'"),
        ("edifact-cusrep", "UNH+1+CUSREP:D:95B:UN'BGM+98+1+9'", "DTM+132:99999999:102'"),
        ("edifact-paxlst", "UNH+1+PAXLST:D:05B:UN'BGM+745'TDT+20+KL1'", "LOC+87+AMS'"),
    ],
)
def test_a_head_of_thousands_of_dates_or_stops_is_gone_through_once(name: str, head: str, unit: str) -> None:
    def took(length: int) -> float:
        began = time.process_time()
        with contextlib.suppress(TranslationError):
            read(head + unit * (length // len(unit)), name)
        return time.process_time() - began

    took(2_000)
    # What else the machine does makes a reading slower, never faster.
    short, long = (min(took(length) for _ in range(4)) for length in (12_000, 60_000))
    assert long < 12 * short + 0.1


def test_a_stream_yields_what_it_has_before_the_end_comes() -> None:
    def endless() -> Iterator[bytes]:
        yield from manifest(50)
        raise AssertionError("read beyond what was asked for")

    drafts = CargoReports().stream(endless(), ORIGIN)
    assert [next(drafts).type for _ in range(10)] == ["shipment.declared"] * 10


def control(text: str, faults: list[Fault]) -> tuple[bytes, list[list[list[str]]]]:
    written = acknowledge(Document(text.encode()), faults, datetime(2026, 3, 5, 10, tzinfo=UTC))
    is_valid(written)
    found = segments(chunks_of(written), Findings(), NEUTRAL.table("edifact", "charset"))
    return written, [one.elements for one in found]


def test_a_sound_interchange_is_acknowledged() -> None:
    written, rows = control(CARGO_REPORT, [])
    assert pydifact_reads(written) == ["CONTRL"]
    assert rows[0][2:4] == [["KRCUSTOMS", "ZZ"], ["HANSEALINE", "ZZ"]]
    assert rows[1][2] == ["CONTRL", "D", "3", "UN"]
    assert rows[2] == [["UCI"], ["26030109150001"], ["HANSEALINE", "ZZ"], ["KRCUSTOMS", "ZZ"], ["7"]]
    assert [one[0][0] for one in rows] == ["UNB", "UNH", "UCI", "UNT", "UNZ"]


def test_a_refused_interchange_is_rejected_with_the_segment_at_fault() -> None:
    broken = CARGO_REPORT.replace("HSL-26-0412+9", "HSL-26-0412+X")
    with pytest.raises(TranslationError) as caught:
        read(broken, "edifact-cuscar")
    _, rows = control(broken, list(caught.value.faults))
    assert rows[2][4] == ["4"]
    assert rows[3] == [["UCM"], ["7001"], ["CUSCAR", "D", "95B", "UN"], ["4"]]
    assert rows[4] == [["UCS"], ["2"], ["12"]]
    _, general = control(CARGO_REPORT, [Fault("too-large", "", "too large")])
    assert general[2][4:] == [["4"], ["18"]]


def test_each_interchange_is_answered_and_an_acknowledgement_never_is() -> None:
    _, rows = control(CARGO_REPORT + GATE, [])
    assert [one[1][0] for one in rows if one[0][0] == "UCI"] == ["26030109150001", "9"]
    written, _ = control(CARGO_REPORT, [])
    for text in (written.decode(), "UNH+1+CUSCAR:D:95B:UN'BGM+85'UNT+3+1'"):
        with pytest.raises(TranslationError, match="no-interchange"):
            acknowledge(Document(text.encode()), [], datetime(2026, 3, 5, tzinfo=UTC))


def receipt(disposition: str, faults: list[dict[str, str]]) -> Message:
    return build(
        specversion="1.0", id="r-1", source="urn:cbm:node:kr-busan", type=f"receipt.{disposition}", subject="m-1",
        time=datetime(2026, 3, 2, 3, 0, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:receipt:1",
        data={"disposition": disposition, "of": {"id": "m-1"}} | ({"faults": faults} if faults else {}),
    )  # fmt: skip


def test_a_receipt_tells_every_fault_as_an_application_error() -> None:
    fault = {"code": "locode", "pointer": "/data/place/locode", "detail": "not a UN/LOCODE"}
    written = ApplicationErrors().write(receipt("refused", [fault, fault | {"code": "time"}]))
    is_valid(written)
    assert pydifact_reads(written) == ["APERAK"]
    rows = [one.elements for one in segments(chunks_of(written), Findings(), NEUTRAL.table("edifact", "charset"))]
    assert [one[0][0] for one in rows].count("ERC") == 2
    assert [["RFF"], ["ACW", "m-1"]] in rows
    assert rows[2][3:] == [["27"], ["RE"]]
    assert ["locode at /data/place/locode: not a UN/LOCODE"] in [
        one[4] for one in rows if one[0] == ["FTX"] and len(one) > 4
    ]
    accepted = ApplicationErrors().write(receipt("accepted", []))
    is_valid(accepted)
    assert b"ERC" not in accepted


def test_a_rejected_shipment_is_told_under_its_references() -> None:
    message = decision(type="shipment.rejected", decision={"outcome": "rejected", "reason": "one\ntwo"})
    written = ApplicationErrors().write(message)
    is_valid(written)
    assert b"RFF+UCN:6KR1208814-PLANTS-0417'" in written
    assert written.count(b"ERC+") == 2
    with pytest.raises(TranslationError, match="no-words"):
        ApplicationErrors().write(decision())


def test_an_ordinary_list_with_a_crew_of_a_lorry_is_known_by_its_number() -> None:
    text = (
        "UNB+UNOA:4+L+C+260301:1901+16'UNH+P1+PAXLST:D:03B:UN'BGM+10+LORRY0301+4'TDT+11++++LOCK:172'"
        "DTM+132:20260302:102'NAD+VW+77::ZZ++DOE:JOHN'DTM+329:19800101:102'LOC+91+US:162'UNT+8+P1'UNZ+1+16'"
    )
    message = read_one(text)
    assert (message.type, message.subject, message.data.classifier) == ("shipment.arrived", "LORRY0301", "estimated")
    assert "DOE" not in message.to_bytes().decode()
    assert "1980" not in message.to_bytes().decode()


def test_a_list_without_a_conveyance_is_refused() -> None:
    faults = refusal(PASSENGERS.replace("TDT+20+KL855'\n", ""), "edifact-paxlst")
    assert faults == [("no-conveyance", "message PAX1")]
