"""Persons of passenger lists: nothing of them unless the profile says so, and then what it says and no more."""

import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Origin
from adapters.edifact_travellers import MAX_PERSONS
from adapters.formats import FORMATS
from adapters.profile import NEUTRAL, Profile, read_profile
from adapters.translator import messages
from schemas.errors import ConfigError, TranslationError
from tests.edifact_documents import ALL, BOOKINGS, PASSENGERS

SEOUL = ZoneInfo("Asia/Seoul")
LISTS = ("edifact-paxlst", "edifact-pnrgov")


def origin(**carried: str) -> Origin:
    own = Profile("own", "own", "1", NEUTRAL, {"edifact": {"persons": carried}})
    return Origin("kr.customs", datetime(2026, 3, 5, tzinfo=UTC), SEOUL, own)


ALL_CARRIED = origin(names="carried", documents="carried", nationalities="carried")


def read(text: str, name: str, of: Origin) -> list[Any]:
    return list(messages(FORMATS[name], Document(text.encode()), of))


def parties(message: Any) -> list[dict[str, str]]:
    return [one.model_dump(exclude_none=True) for one in message.data.parties or ()]


@pytest.mark.parametrize("name", LISTS)
def test_who_may_have_them_gets_names_documents_and_nationalities(name: str) -> None:
    departed, arrived = read(ALL[name], name, ALL_CARRIED)
    assert parties(departed) == parties(arrived) == [
        {"role": "passenger", "name": "VANDERBERG WILHELMINA", "id": "NX1234567"}
        | ({"country": "NL"} if name == "edifact-pnrgov" else {})
    ]  # fmt: skip
    assert [one.model_dump() for one in arrived.data.documents] == [{"type": "P", "id": "NX1234567", "issuer": "NLD"}]
    # The message is known by its flight; nobody's name or number joins it to another.
    assert [one.value for one in arrived.data.identifiers] == ["KL855/20260301"]
    told = arrived.to_bytes().decode()
    assert not [one for one in ("710718", "1971", "18JUL71", "1980", "DESK", "ABC123") if one in told]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("carried", "kept"),
    [("names", {"role", "name"}), ("documents", {"role", "id"}), ("nationalities", {"role", "country"})],
)
def test_what_is_not_carried_is_not_told_beside_what_is(name: str, carried: str, kept: set[str]) -> None:
    text = ALL[name].replace("LOC+178+AMS'\n", "NAT+2+NLD'\nLOC+178+AMS'\n")
    (message, _) = read(text, name, origin(**{carried: "carried"}))
    (party,) = parties(message)
    assert set(party) == kept
    assert (message.data.documents is None) == (carried != "documents")
    told = message.to_bytes().decode()
    for word, of in (("VANDERBERG", "names"), ("NX1234567", "documents"), ('"NL"', "nationalities")):
        assert (word in told) == (of == carried), word


def test_a_crew_in_transit_is_a_crew() -> None:
    text = PASSENGERS.replace("NAD+FL", "NAD+DDT").replace("CNT+42:1'\n", "")
    message = read(text, "edifact-paxlst", ALL_CARRIED)[0]
    assert [one["role"] for one in parties(message)] == ["crew"]
    assert [(one.description, one.packages) for one in message.data.goods] == [("crew", 1)]


def test_a_person_ends_where_another_party_begins() -> None:
    extra = "NAD+MS+++OPERATIONS DESK'\nDOC+P:110:111+DESK77'\nNAD+FM+++DOE:JANE'\nDOC+P+C0000 001'\nCNT+42:1'\n"
    message = read(PASSENGERS.replace("CNT+42:1'\n", extra), "edifact-paxlst", ALL_CARRIED)[0]
    assert [(one["role"], one["id"]) for one in parties(message)] == [("passenger", "NX1234567"), ("crew", "C0000001")]
    assert "DESK" not in message.to_bytes().decode()


def test_a_traveller_is_one_whether_the_booking_names_or_documents_come_first() -> None:
    glued = BOOKINGS.replace("WILHELMINA:A:1", "WILHELMINAMRS:A:1")
    lines = glued.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("TIF"))
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    for text in (glued, "\n".join(lines)):
        message = read(text, "edifact-pnrgov", ALL_CARRIED)[0]
        assert [one["id"] for one in parties(message)] == ["NX1234567"]
    namesakes = BOOKINGS.replace("WILHELMINA:A:1", "WILHELMINA:A:1+JO:C:2+JOHN:C:3")
    found = parties(read(namesakes, "edifact-pnrgov", ALL_CARRIED)[0])
    assert [one["name"] for one in found] == ["VANDERBERG WILHELMINA", "VANDERBERG JO", "VANDERBERG JOHN"]


def test_a_list_of_more_persons_than_a_message_holds_says_so_and_names_none_of_the_rest() -> None:
    many = "".join(f"NAD+FL+++TRAVELLER:N{number}'\n" for number in range(MAX_PERSONS + 2))
    first, second = read(PASSENGERS.replace("CNT+42:1'\n", many), "edifact-paxlst", ALL_CARRIED)
    assert len(first.data.parties) == len(second.data.parties) == MAX_PERSONS
    (warning,) = [one for one in first.data.native.warnings if one.code == "too-many-persons"]
    assert warning.pointer == "message PAX1"
    assert not [one for one in (f"N{MAX_PERSONS}", f"N{MAX_PERSONS + 1}") if one in first.to_bytes().decode()]
    assert len(first.to_bytes()) < 1024 * 1024


def test_persons_are_told_once_of_the_departure_and_once_of_the_arrival_however_many_stops_there_are() -> None:
    stops = "".join(f"LOC+87+IC{letter}'\nDTM+232:2603021555:201'\n" for letter in string.ascii_uppercase)
    found = read(PASSENGERS.replace("NAD+FL", stops + "NAD+FL"), "edifact-paxlst", ALL_CARRIED)
    assert len(found) == 28
    assert [one.type for one in found if one.data.parties] == ["shipment.departed", "shipment.arrived"]
    assert [one.type for one in found if one.data.documents] == ["shipment.departed", "shipment.arrived"]


@pytest.mark.parametrize("wrong", ['names = "yes"', "names = true", 'documents = "Carried"'])
def test_a_switch_has_two_positions_and_a_slip_stops_the_start(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "profile.toml").write_text('title = "x"\nversion = "1"\nextends = "neutral"\n')
    (tmp_path / "edifact.toml").write_text(f"[persons]\n{wrong}\n")
    with pytest.raises(ConfigError, match="persons"):
        read_profile(tmp_path)


def test_a_profile_of_an_agencys_own_switches_on_what_it_names_and_leaves_the_rest_off(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text('title = "x"\nversion = "1"\nextends = "neutral"\n')
    (tmp_path / "edifact.toml").write_text('[persons]\nnames = "carried"\nname = "dropped"\n')
    own = Origin("kr.customs", datetime(2026, 3, 5, tzinfo=UTC), SEOUL, read_profile(tmp_path))
    for name in LISTS:
        message = read(ALL[name], name, own)[0]
        assert parties(message) == [{"role": "passenger", "name": "VANDERBERG WILHELMINA"}]
        assert "NX1234567" not in message.to_bytes().decode()
    assert not read(PASSENGERS, "edifact-paxlst", Origin("kr.customs", own.received, SEOUL))[0].data.parties


words = st.text(string.ascii_uppercase, min_size=7, max_size=12)
numbers = st.text(string.ascii_uppercase + string.digits, min_size=9, max_size=12)


@st.composite
def persons(draw: st.DrawFn) -> dict[str, str]:
    born = f"19{draw(st.integers(20, 99))}{draw(st.integers(1, 12)):02d}{draw(st.integers(1, 28)):02d}"
    return {"surname": draw(words), "given": draw(words), "number": draw(numbers), "born": born}


def passenger_list(of: list[dict[str, str]]) -> str:
    head, rest = PASSENGERS.split("NAD+FL", 1)
    body = "".join(
        f"NAD+FL+++{one['surname']}:{one['given']}'\nATT+2++F'\nDTM+329:{one['born']}:102'\nNAT+2+NLD'\n"
        f"RFF+AVF:{one['number'][:6]}'\nDOC+P:110:111+{one['number']}'\nDTM+36:300101'\nLOC+91+NLD'\n"
        for one in of
    )
    return head + body + "CNT+42:" + rest.split("CNT+42:", 1)[1]


def bookings(of: list[dict[str, str]]) -> str:
    head, rest = BOOKINGS.split("RCI+", 1)
    body = "".join(
        f"RCI+KL:{one['number'][:6]}::280226:1200'\nTIF+{one['surname']}+{one['given']}:A:1'\n"
        f"SSR+DOCS:HK:1:KL:::::/P/NLD/{one['number']}/NLD/{one['born']}/F/01JAN30/{one['surname']}/{one['given']}'\n"
        for one in of
    )
    return head + body + "UNT+" + rest.split("UNT+", 1)[1]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_where_persons_are_dropped_no_list_however_broken_tells_anything_of_them(data: st.DataObject) -> None:
    of = data.draw(st.lists(persons(), min_size=1, max_size=4))
    make, name = data.draw(st.sampled_from([(passenger_list, "edifact-paxlst"), (bookings, "edifact-pnrgov")]))
    lines = make(of).splitlines()
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(1, len(lines) - 1))
        lines[at] = data.draw(st.sampled_from(["", lines[at][:-1], lines[at][3:], lines[at] + "'", lines[at - 1]]))
    try:
        told = b"".join(one.to_bytes() for one in read("\n".join(lines), name, origin())).decode()
    except TranslationError as error:
        told = str(error) + "".join(f"{one.code} {one.pointer} {one.detail}" for one in error.faults)
    assert not [word for one in of for word in one.values() if word in told]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_warning_and_no_fault_tells_of_a_person_even_where_they_are_carried(data: st.DataObject) -> None:
    of = data.draw(st.lists(persons(), min_size=1, max_size=4))
    make, name = data.draw(st.sampled_from([(passenger_list, "edifact-paxlst"), (bookings, "edifact-pnrgov")]))
    lines = make(of).splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(lines) - 1))
        lines[at] = data.draw(st.sampled_from(["", lines[at][:-1], lines[at][3:], lines[at] + "'", lines[at - 1]]))
    try:
        found = read("\n".join(lines), name, ALL_CARRIED)
        told = "".join(str(one) for message in found for one in message.data.native.warnings or ())
    except TranslationError as error:
        told = str(error) + "".join(f"{one.code} {one.pointer} {one.detail}" for one in error.faults)
    assert not [word for one in of for word in one.values() if word in told]
