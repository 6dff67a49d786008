"""Transport status reports: the statuses that are events of a shipment, and no others."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.document import Document, Origin
from adapters.formats import FORMATS
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas.errors import TranslationError
from tests.edifact_documents import STATUS

SEOUL = ZoneInfo("Asia/Seoul")
ORIGIN = Origin("kr.customs", datetime(2026, 3, 5, tzinfo=UTC), SEOUL)


def read(text: str, of: Origin = ORIGIN) -> list[Any]:
    return list(messages(FORMATS["edifact-iftsta"], Document(text.encode()), of))


def codes(text: str) -> list[str]:
    with pytest.raises(TranslationError) as caught:
        read(text)
    return [one.code for one in caught.value.faults]


def warned(message: Any) -> list[str]:
    return [one.code for one in message.data.native.warnings or []]


def test_a_status_is_an_event_of_its_consignment_and_its_container() -> None:
    (message,) = read(STATUS)
    assert (message.type, message.subject) == ("shipment.discharged", "HSLTH26000417")
    assert [(one.scheme, one.value) for one in message.data.identifiers] == [
        ("transport-document", "HSLTH26000417"), ("container", "CSQU3054383"), ("seal", "THS0041877"),
    ]  # fmt: skip
    assert message.data.occurred == datetime(2026, 3, 2, 18, 30, tzinfo=SEOUL)
    assert message.data.place.locode == "KRPUS"
    assert (message.data.transport.voyage, message.data.transport.means.value) == ("0412E", "9074729")


@pytest.mark.parametrize(
    ("code", "event"),
    [("1", "arrived"), ("24", "departed"), ("48", "loaded"), ("16", "exited"), ("12", "released"), ("17", "refused")],
)
def test_recommendation_24_says_which_event(code: str, event: str) -> None:
    assert [one.type for one in read(STATUS.replace("STS+1+29", f"STS+1+{code}::6"))] == [f"shipment.{event}"]


@pytest.mark.parametrize("status", ["STS+1+78", "STS+1+39", "STS+1+20", "STS+1+12::87", "STS+Z21+29", "STS+5+1"])
def test_nothing_else_is_one_and_least_of_all_a_release_by_a_carrier(status: str) -> None:
    assert codes(STATUS.replace("STS+1+29", status)) == ["no-event"]


def test_each_status_is_told_apart_and_what_is_no_event_is_warned_of() -> None:
    second = "STS+1+1'STS+1+20'STS+1+48'DTM+334:202603010100:203'LOC+175+THLCH'EQD+CN+MSKU6874333'RFF+EQ:CSQU3054383'"
    found = read(STATUS.replace("UNT+12", second + "UNT+19"))
    assert [one.type for one in found] == ["shipment.discharged", "shipment.arrived", "shipment.loaded"]
    assert [one.value for one in found[2].data.identifiers] == ["HSLTH26000417", "MSKU6874333"]
    assert warned(found[0]) == ["unknown-status"]


def test_a_profile_says_what_an_agencys_own_codes_mean() -> None:
    own = Profile("own", "own", "1", NEUTRAL, {"edifact": {"status": {"87-VD": "departed"}}})
    text = STATUS.replace("STS+1+29", "STS+1+VD::87:VESSEL DEPARTED")
    assert codes(text) == ["no-event"]
    assert [one.type for one in read(text, Origin("kr.customs", ORIGIN.received, SEOUL, own))] == ["shipment.departed"]


def test_equipment_may_have_statuses_of_its_own() -> None:
    text = (
        "UNB+UNOC:3+A+B+260302:1900+31'UNH+1+IFTSTA:D:21A:UN'BGM+23+ST-1+9'DTM+137:202603021900:203'RFF+BM:HSLTH26000417'"
        "EQD+CN+CSQU3054383'SEL+THS0041877'STS+1+29'LOC+175+KRPUS'DTM+334:202603021830:203'STS+1+1'UNT+10+1'UNZ+1+31'"
    )
    first, second = read(text)
    assert (first.type, first.data.place.locode) == ("shipment.discharged", "KRPUS")
    assert first.data.occurred == datetime(2026, 3, 2, 18, 30, tzinfo=SEOUL)
    assert second.data.occurred == datetime(2026, 3, 2, 19, 0, tzinfo=SEOUL)
    assert [one.seals for one in second.data.equipment] == [["THS0041877"]]


def test_a_report_that_takes_back_and_one_without_a_consignment_are_read() -> None:
    assert [one.type for one in read(STATUS.replace("ST-1+9", "ST-1+1"))] == ["shipment.withdrawn"]
    (message,) = read(STATUS.replace("CNI+1'\n", "").replace("UNT+12", "UNT+11"))
    assert (message.type, warned(message)) == ("shipment.discharged", ["trigger-missing"])
