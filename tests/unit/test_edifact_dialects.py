"""What nations and terminals make of EDIFACT: read as it is meant, and never as a release that nobody gave."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.document import Document, Origin
from adapters.formats import FORMATS
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas.errors import TranslationError
from tests.edifact_documents import ARRIVAL, CARGO_REPORT, DECLARATION, DISCHARGE, GATE, RESPONSE

SEOUL = ZoneInfo("Asia/Seoul")
ORIGIN = Origin("kr.customs", datetime(2026, 3, 5, tzinfo=UTC), SEOUL)


def read(text: str, name: str, of: Origin = ORIGIN) -> list[Any]:
    return list(messages(FORMATS[name], Document(text.encode()), of))


def warned(message: Any) -> list[str]:
    return [one.code for one in message.data.native.warnings or []]


def identifiers(message: Any) -> list[tuple[str, str]]:
    return [(one.scheme, one.value) for one in message.data.identifiers]


@pytest.mark.parametrize("agency", ["143", "148", "ZZZ"])
def test_a_code_of_another_agencys_list_releases_nothing_until_the_profile_says_so(agency: str) -> None:
    text = RESPONSE.replace("GIS+4'", f"GIS+4:117:{agency}'")
    with pytest.raises(TranslationError) as caught:
        read(text, "edifact-cusres")
    assert [one.code for one in caught.value.faults] == ["no-decision"]
    table = {f"{agency}-4": ["released", "released"], f"{agency}-819": ["held", "agriculture"]}
    own = Origin(
        "nz.customs", ORIGIN.received, SEOUL, Profile("nz", "nz", "1", NEUTRAL, {"edifact": {"processing": table}})
    )
    assert [one.type for one in read(text, "edifact-cusres", own)] == ["shipment.released"]
    (both,) = read(text.replace("GIS+23'", f"GIS+819:120:{agency}'"), "edifact-cusres", own)
    assert (both.type, warned(both)) == ("shipment.held", ["contradiction"])


def test_a_code_of_the_united_nations_list_decides_whoever_is_named_for_it() -> None:
    (message,) = read(RESPONSE.replace("GIS+4'", "GIS+4:117:6'"), "edifact-cusres")
    assert (message.type, warned(message)) == ("shipment.released", [])
    (beside,) = read(RESPONSE.replace("GIS+23'", "GIS+23:119:148'"), "edifact-cusres")
    assert (beside.type, warned(beside)) == ("shipment.released", ["national-code"])


def test_before_1993_the_function_stands_behind_the_date_of_the_document() -> None:
    old = CARGO_REPORT.replace("BGM+785+HSL-26-0412+9", "BGM+785+HSL-26-0412+137:20260301:102+3")
    assert {one.type for one in read(old, "edifact-cuscar")} == {"shipment.withdrawn"}
    response = RESPONSE.replace("D:95B:UN", "1:902:UN").replace("BGM+961+R-1+11", "BGM+961+R-1+137:20260302:102+1")
    (message,) = read(response, "edifact-cusres")
    assert (message.type, message.data.decision.outcome) == ("shipment.held", "release-cancelled")


def test_day_and_time_of_day_may_stand_apart() -> None:
    text = ARRIVAL.replace("DTM+132:202603021830:203'", "DTM+132:20260302:102'\nDTM+132:1830:401'")
    (message,) = read(text, "edifact-cusrep")
    assert message.data.occurred == datetime(2026, 3, 2, 18, 30, tzinfo=SEOUL)
    (decision,) = read(
        RESPONSE.replace("DTM+204:202603020055:203'", "DTM+204:005501:402'DTM+204:260302:101'"), "edifact-cusres"
    )
    assert decision.data.occurred == datetime(2026, 3, 2, 0, 55, 1, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("transport", "mode"),
    [("TDT+20+N1++11+N2::95+++N3::11'", "1"), ("TDT+11++03+:::BT++I++:146::1M8GDM9A'", "3"), ("TDT+20+N1++6'", "4"),
     ("TDT+20+N1++1501'", "1"), ("TDT+20+N1++3100'", "3"), ("TDT+20+N1++99'", None), ("TDT+20+N1++0150'", None)],
)  # fmt: skip
def test_the_mode_is_told_by_the_type_of_the_means_where_it_is_not_given(transport: str, mode: str | None) -> None:
    lines = [transport if line.startswith("TDT") else line for line in ARRIVAL.splitlines()]
    (message,) = read("\n".join(lines), "edifact-cusrep")
    assert message.data.transport.mode == mode


def test_a_lorry_is_known_by_its_registration_however_it_is_given() -> None:
    lines = [
        "TDT+11++03+:::BT++I++:146::1M8GDM9A'" if line.startswith("TDT") else line for line in ARRIVAL.splitlines()
    ]
    (message,) = read("\n".join(lines), "edifact-cusrep")
    means = message.data.transport.means
    assert (means.scheme, means.value) == ("registration", "1M8GDM9A")


def test_a_reports_name_in_words_is_believed_before_its_code() -> None:
    for code, event, codes in (("44", "loaded", ["operation"]), ("46", "loaded", []), ("999", "loaded", [])):
        found = read(DISCHARGE.replace("BGM+98", f"BGM+{code}:::LOADING REPORT"), "edifact-coarri")
        assert [one.type for one in found] == [f"shipment.{event}"] * 2
        assert warned(found[0]) == codes
    found = read(DISCHARGE.replace("BGM+98", "BGM+44:::DISCHARGE/LOADING REPORT"), "edifact-coarri")
    assert [(one.type, warned(one)) for one in found] == [("shipment.discharged", [])] * 2


def test_a_flag_that_there_is_a_seal_or_a_reference_joins_nothing() -> None:
    (message,) = read(
        GATE.replace("SEL+THS0041877", "SEL+Y").replace("RFF+BM:HSLTH26000417", "RFF+AWH:O"), "edifact-codeco"
    )
    assert identifiers(message) == [("container", "CSQU3054383")]
    assert message.data.equipment[0].seals == ["Y"]
    (declared,) = read(DECLARATION.replace("SEL+THS0041877", "SEL+Y"), "edifact-cusdec")
    assert "seal" not in dict(identifiers(declared))


def test_a_commodity_code_given_as_a_reference_is_no_identifier() -> None:
    text = DECLARATION.replace("CST+1+0602.90:122'\n", "CST+1+I::95'\nRFF+HS:03026200'\n").replace("UNT+21", "UNT+22")
    (message,) = read(text, "edifact-cusdec")
    assert message.data.goods[0].hs == "03026200"
    assert "03026200" not in [value for _, value in identifiers(message)]


def test_goods_told_of_outside_an_item_are_goods_all_the_same() -> None:
    start, end = DECLARATION.index("UNS+D"), DECLARATION.index("UNT+21")
    (declared,) = read(DECLARATION[:start] + "MEA+AAE+G+KGM:450'" + DECLARATION[end:], "edifact-cusdec")
    assert [one.gross_mass_kg for one in declared.data.goods] == [450]
    report = CARGO_REPORT.replace(
        "GID+1+320:CT'\nFTX+AAA+++ORCHIDS, LIVE?: PHALAENOPSIS'\n", "FTX+AAA+++ORCHIDS'\nGID+1'\n"
    )
    report = report.replace("MEA+AAE+G+KGM:5120.5'\nSGP+CSQU3054383+320'\nDGS+IMD+9+3077'\nCST++060290:122'\n", "")
    first, _ = read(report, "edifact-cuscar")
    assert [one.description for one in first.data.goods] == ["ORCHIDS"]


def test_what_strayed_into_the_head_is_no_consignment_of_its_own() -> None:
    # The United States' lorry manifests give a trailer's references behind its seals.
    text = CARGO_REPORT.replace("SEL+KRC88213+CU'\n", "SEL+KRC88213+CU'\nRFF+ABZ:EQU123'\nLOC+89+VA:163'\n")
    found = read(text, "edifact-cuscar")
    assert [one.subject for one in found] == ["HSLTH26000417", "6KR1208814-MACH-22"]
    assert "trigger-missing" in warned(found[0])
    alone = CARGO_REPORT[: CARGO_REPORT.index("CNI+2")].replace("CNI+1+HSLTH26000417'\n", "")
    assert [one.subject for one in read(alone, "edifact-cuscar")] == ["HSLTH26000417"]


def test_a_consignment_without_a_reference_goes_under_the_declaration_that_the_head_names() -> None:
    text = CARGO_REPORT[: CARGO_REPORT.index("CNI+2")].replace("RFF+ABE:HSL412", "RFF+ED:26KRAAAAAMLN")
    text = (
        text.replace("CNI+1+HSLTH26000417", "CNI+1")
        .replace("RFF+BM:HSLTH26000417'\n", "")
        .replace("SGP+CSQU3054383+320'\n", "")
    )
    (message,) = read(text, "edifact-cuscar")
    assert identifiers(message) == [("mrn", "26KRAAAAAMLN"), ("lrn", "HSL-26-0412")]


def test_a_segment_out_of_order_belongs_to_the_container_that_is_open() -> None:
    text = GATE.replace(
        "MEA+AAE+G+KGM:7400'\nSEL+THS0041877'\n", "TDT+30++3'\nLOC+9+KRPUS'\nMEA+AAE+G+KGM:7400'\nSEL+THS0041877'\n"
    )
    (message,) = read(text, "edifact-codeco")
    assert message.data.equipment[0].seals == ["THS0041877"]
    assert message.data.goods[0].gross_mass_kg == 7400
    assert warned(message) == ["segment-order", "segment-order", "count"]


def test_separators_that_una_names_the_wrong_way_round_are_read_as_they_are_used() -> None:
    text = "UNA+:.? '" + GATE
    (message,) = read(text, "edifact-codeco")
    assert warned(message) == ["service-characters"]
    assert message.data.equipment[0].seals == ["THS0041877"]
    swapped = "UNA|~.^ #" + GATE.translate(str.maketrans("+:'", "|~#")).replace("THS0041877", "THS^|0041877")
    (other,) = read(swapped, "edifact-codeco")
    assert other.data.equipment[0].seals == ["THS|0041877"]


def test_a_place_without_a_code_keeps_its_spelling() -> None:
    (message,) = read(ARRIVAL.replace("LOC+60+KRPUS:139:6", "LOC+60+Pier Seven"), "edifact-cusrep")
    assert message.data.place.name == "Pier Seven"
