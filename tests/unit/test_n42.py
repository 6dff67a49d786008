"""Radiation instruments: an alarm reaches whoever must act, with the vehicle it is about, and without its spectra."""

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Origin
from adapters.formats import by_name, recognise
from adapters.n42 import TRANSLATORS
from adapters.n42_read import MAX_SPECTRA
from adapters.profile import NEUTRAL, Profile, read_profile
from adapters.translator import messages
from schemas import AlertMessage
from schemas.envelope import parse
from schemas.errors import TranslationError

(N42,) = TRANSLATORS
ORIGIN = Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
SPECTRUM = (
    "<Spectrum id='s1'><LiveTimeDuration>PT1S</LiveTimeDuration><ChannelData>1 2 3 987654</ChannelData></Spectrum>"
)


def read(content: str | bytes) -> list[Any]:
    document = Document(content if isinstance(content, bytes) else content.encode())
    assert recognise(document)[0] is by_name("n42")
    found = messages(by_name("n42"), document, ORIGIN)
    assert [parse(message.to_bytes()) for message in found] == found
    return found


def refusal(content: str | bytes) -> list[str]:
    with pytest.raises(TranslationError) as caught:
        read(content)
    return [fault.code for fault in caught.value.faults]


def warned(message: Any) -> set[str]:
    return {warning.code for warning in message.data.native.warnings or []}


def alarm(category: str, description: str = "", at: str = "") -> str:
    moment = f"<RadAlarmDateTime>{at}</RadAlarmDateTime>" if at else ""
    said = f"<RadAlarmDescription>{description}</RadAlarmDescription>" if description else ""
    return f"<RadAlarm>{moment}<RadAlarmCategoryCode>{category}</RadAlarmCategoryCode>{said}</RadAlarm>"


def nuclide(name: str, confidence: str = "87.5", kind: str = "Industrial", found: str = "true") -> str:
    return (
        f"<Nuclide><NuclideIdentifiedIndicator>{found}</NuclideIdentifiedIndicator><NuclideName>{name}</NuclideName>"
        f"<NuclideIDConfidenceValue>{confidence}</NuclideIDConfidenceValue>"
        f"<NuclideCategoryDescription>{kind}</NuclideCategoryDescription></Nuclide>"
    )


def characteristic(name: str, value: str) -> str:
    return (
        f"<Characteristic><CharacteristicName>{name}</CharacteristicName>"
        f"<CharacteristicValue>{value}</CharacteristicValue></Characteristic>"
    )


ITEM = (
    "<RadItemInformation id='i1'><RadItemDescription>40 ft container</RadItemDescription><RadItemCharacteristics>"
    + characteristic("Container Number", "CBMU 204617-5")
    + characteristic("License Plate", "12GA 3456")
    + "</RadItemCharacteristics></RadItemInformation>"
)


def modern(alarms: str = "", nuclides: str = "", item: str = ITEM, occupied: str = "true", more: str = "") -> str:
    """A document of 2011."""
    return (
        "<n:RadInstrumentData xmlns:n='http://physics.nist.gov/N42/2011/N42'"
        " xmlns='http://physics.nist.gov/N42/2011/N42' n42DocUUID='0a1b2c3d-0000-4000-8000-000000000001'>"
        "<RadInstrumentInformation id='p1'><RadInstrumentManufacturerName>Acme</RadInstrumentManufacturerName>"
        "<RadInstrumentIdentifier>P-7</RadInstrumentIdentifier><RadInstrumentModelName>Gate</RadInstrumentModelName>"
        "<RadInstrumentClassCode>Portal Monitor</RadInstrumentClassCode><RadInstrumentCharacteristics>"
        f"{characteristic('Lane', '4')}</RadInstrumentCharacteristics></RadInstrumentInformation>{item}"
        "<RadMeasurement id='b'><MeasurementClassCode>Background</MeasurementClassCode>"
        "<StartDateTime>2026-03-01T08:59:00+09:00</StartDateTime></RadMeasurement>"
        "<RadMeasurement id='m'><MeasurementClassCode>Foreground</MeasurementClassCode>"
        f"<StartDateTime>2026-03-01T09:00:00+09:00</StartDateTime>{SPECTRUM}<RadItemState><StateVector>"
        "<GeographicPoint><LatitudeValue>35.1</LatitudeValue><LongitudeValue>129.04</LongitudeValue></GeographicPoint>"
        "<SpeedValue>2.2</SpeedValue></StateVector></RadItemState>"
        f"<OccupancyIndicator>{occupied}</OccupancyIndicator></RadMeasurement>"
        f"<AnalysisResults>{alarms}<NuclideAnalysisResults>{nuclides}</NuclideAnalysisResults></AnalysisResults>{more}"
        "</n:RadInstrumentData>"
    )


def portal(item: str = "", alarms: str = "", occupied: str = "1", lane: str = "<LaneNumber>2</LaneNumber>") -> str:
    """A portal's document of 2006."""
    return (
        "<N42InstrumentData xmlns='http://physics.nist.gov/Divisions/Div846/Gp4/ANSIN4242/2005/ANSIN4242'"
        " xmlns:dndons='http://www.DNDO.gov/N42Schema/2006/DNDOSchema'><Measurement UUID='11112222-3333'>"
        f"<InstrumentInformation><InstrumentType>SpecPortal</InstrumentType><Manufacturer>Acme</Manufacturer>"
        f"<InstrumentModel>S</InstrumentModel><InstrumentID>Serial #77</InstrumentID>{lane}</InstrumentInformation>"
        f"<MeasuredItemInformation><Remark>Occupancy number = 25</Remark>{item}<MeasurementLocation>"
        "<MeasurementLocationName>Gate 3</MeasurementLocationName></MeasurementLocation></MeasuredItemInformation>"
        f"<DetectorData><StartTime>2026-03-01T00:00:00Z</StartTime><Occupied>{occupied}</Occupied>"
        f"<Speed Units='mph'>2.4</Speed></DetectorData><AnalysisResults>{alarms}</AnalysisResults>"
        "</Measurement></N42InstrumentData>"
    )


def test_a_portal_alarm_is_an_alert_and_holds_the_container_it_is_about() -> None:
    content = modern(alarm("Gamma", "high count rate"), nuclide("Cs-137") + nuclide("K-40", found="false"))
    alert, hold = read(content)
    assert (alert.type, hold.type) == ("alert.issued", "shipment.held")
    said = alert.data
    assert (said.category, said.severity, said.certainty, said.urgency) == (
        ["CBRNE"], "Severe", "Observed", "Immediate",
    )  # fmt: skip
    about = [(one.scheme, one.value) for one in said.about]
    assert about == [("container", "CBMU2046175"), ("equipment", "12GA3456")]
    assert said.headline == "Radiation alarm (gamma) at lane 4"
    assert said.description.splitlines() == [
        "gamma alarm: high count rate", "nuclide Cs-137 (confidence 87.5, Industrial)", "item: 40 ft container",
        "lane 4, speed 2.2 m/s", "instrument: Acme Gate P-7",
    ]  # fmt: skip
    assert said.areas[0].circle == ["35.100000,129.040000 0"]
    assert said.onset == alert.time == datetime.fromisoformat("2026-03-01T09:00:00+09:00")
    assert (hold.data.decision.outcome, hold.data.decision.automatic) == ("held", True)
    assert hold.data.decision.reason.startswith("radiation alarm\ngamma alarm")
    assert [one.value for one in hold.data.identifiers] == [one.value for one in said.about]
    assert alert.correlationid == hold.correlationid == alert.subject
    assert "K-40" not in alert.model_dump_json()


def test_spectra_stay_with_the_document_and_that_is_told() -> None:
    alert, _ = read(modern(alarm("Gamma")))
    assert "987654" not in alert.model_dump_json()
    assert "spectra-not-carried" in warned(alert)
    assert len(alert.data.native.sha256) == 64


@pytest.mark.parametrize(
    ("alarms", "nuclides", "severity"),
    [
        (alarm("Gamma"), "", "Severe"), (alarm("Other", "tamper"), "", "Moderate"), (alarm("Neutron"), "", "Extreme"),
        (alarm("Other") + alarm("Isotope"), "", "Severe"), (alarm("Gamma"), nuclide("Pu-239", kind="SNM"), "Extreme"),
        (alarm("Gamma"), nuclide("K-40", kind="NORM"), "Severe"),
    ],
)  # fmt: skip
def test_the_gravest_of_alarms_and_nuclides_is_how_grave_it_is(alarms: str, nuclides: str, severity: str) -> None:
    assert read(modern(alarms, nuclides))[0].data.severity == severity


def test_an_alarm_about_nothing_known_is_an_alert_alone() -> None:
    (alert,) = read(modern(alarm("Neutron", at="2026-03-01T09:00:05+09:00"), item="", occupied="false"))
    assert alert.type == "alert.issued"
    assert alert.data.about is None
    assert alert.time == datetime.fromisoformat("2026-03-01T09:00:05+09:00")


def test_a_quiet_passage_is_an_inspection_and_never_a_release() -> None:
    (quiet,) = read(modern())
    assert (quiet.type, quiet.data.decision.outcome) == ("shipment.inspected", "no-alarm")
    assert quiet.subject == "CBMU2046175"
    (seen,) = read(modern(nuclides=nuclide("I-131", kind="Medical")))
    assert seen.data.decision.outcome == "nuclides-identified"
    assert "I-131" in seen.data.decision.reason


def test_a_passage_is_named_by_portal_lane_and_occupancy_where_nothing_names_the_vehicle() -> None:
    (quiet,) = read(portal())
    assert [(one.scheme, one.value) for one in quiet.data.identifiers] == [("other", "77/LANE-2/OCCUPANCY-25")]
    assert (quiet.data.place.name, quiet.data.place.facility) == ("Gate 3", "lane 2")
    assert quiet.data.decision.reason.splitlines()[1] == "lane 2, occupancy 25, speed 2.4 mph"
    (known,) = read(portal().replace("Gate 3", "KRPUS"))
    assert (known.data.place.locode, known.data.place.country) == ("KRPUS", "KR")


@pytest.mark.parametrize(
    ("item", "scheme", "value"),
    [
        ("<Remark>Container: CBMU2046175; driver unknown</Remark>", "container", "CBMU2046175"),
        ("<ItemDescription>Box CBMU 204617 5 on a lorry</ItemDescription>", "container", "CBMU2046175"),
        ("<dndons:LicensePlate>AB 123</dndons:LicensePlate>", "equipment", "AB123"),
        ("<VehicleID>V9</VehicleID>", "equipment", "V9"),
        ("<Remark>Bill of lading = CBMLCH2600417</Remark>", "transport-document", "CBMLCH2600417"),
    ],
)
def test_the_item_is_known_wherever_an_instrument_names_it(item: str, scheme: str, value: str) -> None:
    _, hold = read(portal(item, "<dndons:GammaAlarm>true</dndons:GammaAlarm>"))
    assert (hold.data.identifiers[0].scheme, hold.data.identifiers[0].value) == (scheme, value)


@pytest.mark.parametrize("said", ["CBMU2046176", "ABCD1234567", "CBMU20461755"])
def test_what_only_looks_like_a_container_number_in_a_text_joins_nothing(said: str) -> None:
    (quiet,) = read(portal(f"<ItemDescription>lot {said}</ItemDescription>"))
    assert quiet.data.identifiers[0].scheme == "other"


@pytest.mark.parametrize(
    ("alarms", "kinds"),
    [
        ("<dndons:GammaAlarm>1</dndons:GammaAlarm><dndons:NeutronAlarm>0</dndons:NeutronAlarm>", "gamma"),
        ("<dndons:AlarmInformation><dndons:AlarmType>Neutron</dndons:AlarmType></dndons:AlarmInformation>", "neutron"),
        ("<Alarms><GammaAlarm>yes</GammaAlarm><NeutronAlarm>no</NeutronAlarm></Alarms>", "gamma"),
        ("<Alarm>Gamma Alarm</Alarm><GammaAlarmThreshold>5</GammaAlarmThreshold>", "gamma"),
        ("<Alarm>speed</Alarm>", "other"),
        ("<Remark>Alarm = Neutron</Remark>", "neutron"),
        ("<Remark>Gamma Alarm: yes; Neutron Alarm: no</Remark>", "gamma"),
    ],
)
def test_alarms_of_the_older_dialect_are_found_by_their_names(alarms: str, kinds: str) -> None:
    alert = read(portal(alarms=alarms))[0]
    assert alert.data.event == f"Radiation alarm ({kinds})"


@pytest.mark.parametrize(
    "alarms", ["<Alarm>none</Alarm>", "<GammaAlarm>false</GammaAlarm>", "<AlarmThreshold>7</AlarmThreshold>",
               "<AlarmInformation><AlarmType>No Alarm</AlarmType></AlarmInformation>", "<AlarmStatus>OK</AlarmStatus>",
               "<GammaAlarmRate Units='cps'>5</GammaAlarmRate>", "<NeutronAlarmSigma>4.5</NeutronAlarmSigma>",
               "<Remark>Alarm: none; Alarm threshold: 5</Remark>"],
)  # fmt: skip
def test_no_alarm_is_no_alarm(alarms: str) -> None:
    assert [message.type for message in read(portal(alarms=alarms))] == ["shipment.inspected"]


def test_an_agency_says_with_which_words_its_instruments_say_yes_and_no() -> None:
    own = Profile("at", "", "1", NEUTRAL, {"n42": {"answer": {"ja": "yes", "nein": "no"}}})
    quiet, loud = (portal(alarms=f"<GammaAlarm>{word}</GammaAlarm>").encode() for word in ("Nein", "Ja"))
    (passage,) = messages(N42, Document(quiet), replace(ORIGIN, profile=own))
    assert passage.type == "shipment.inspected"
    assert read(quiet)[0].type == "alert.issued"
    alert = messages(N42, Document(loud), replace(ORIGIN, profile=own))[0]
    assert isinstance(alert, AlertMessage)
    assert "Ja" not in (alert.data.description or "")


def test_nuclear_material_in_a_named_item_is_an_alarm_although_the_instrument_raised_none() -> None:
    alert, held = read(modern(nuclides=nuclide("Pu-239", kind="SNM") + nuclide("K-40", kind="NORM")))
    assert (alert.type, alert.data.severity) == ("alert.issued", "Extreme")
    assert "Pu-239" in alert.data.description
    assert (held.type, held.subject) == ("shipment.held", "CBMU2046175")
    assert "alarm-by-nuclide" in [one.code for one in held.data.native.warnings]
    # What is said of nothing in particular, is of another category or was not found raises nothing.
    for quiet in (
        modern(item="", occupied="false", nuclides=nuclide("Pu-239", kind="SNM")),
        modern(nuclides=nuclide("Cs-137", kind="Industrial")),
        modern(nuclides=nuclide("Pu-239", kind="SNM", found="false")),
    ):
        assert [one.type for one in read(quiet)] == ["shipment.inspected"]
    own = Profile("kr", "", "1", NEUTRAL, {"n42": {"alarming": {"snm": "no"}}})
    told = messages(N42, Document(modern(nuclides=nuclide("U-235", kind="SNM")).encode()), replace(ORIGIN, profile=own))
    assert [one.type for one in told] == ["shipment.inspected"]


UUID = " n42DocUUID='0a1b2c3d-0000-4000-8000-000000000001'"


def test_a_measurement_that_names_no_item_is_an_inspection_which_claims_nothing() -> None:
    (found,) = read(modern(item="", occupied="false"))
    assert (found.type, found.data.decision.outcome) == ("shipment.inspected", "measured")
    assert found.data.decision.reason.startswith("measured; neither an alarm nor what was measured is told")
    (named,) = found.data.identifiers
    assert (named.scheme, named.value) == ("other", "0A1B2C3D-0000-4000-8000-000000000001")
    assert named.issuer == "Acme Gate P-7"
    (seen,) = read(modern(item="", occupied="false", nuclides=nuclide("Pu-239", kind="SNM")))
    assert (seen.type, seen.data.decision.outcome) == ("shipment.inspected", "nuclides-identified")
    assert "nuclide Pu-239 (confidence 87.5, SNM)" in seen.data.decision.reason


def test_a_measurement_without_identifier_is_known_by_instrument_and_time() -> None:
    (found,) = read(modern(item="", occupied="false").replace(UUID, ""))
    assert found.data.identifiers[0].value == "ACMEGATEP-7/2026-03-01T09:00:00+09:00"


def test_what_says_neither_what_was_measured_nor_by_what_is_refused() -> None:
    spectrum = "<Spectrum><ChannelData>1 2</ChannelData></Spectrum>"
    bare = f"<N42InstrumentData><Measurement>{spectrum}</Measurement></N42InstrumentData>"
    assert refusal(bare) == ["no-instrument"]
    assert refusal(bare.replace(spectrum, "")) == ["no-measurement"]


def test_a_profile_refuses_measurements_where_a_laboratory_writes_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text('title = "x"\nversion = "1"\nextends = "neutral"\n')
    (tmp_path / "n42.toml").write_text('[event]\nmeasured = "refused"\n')
    origin = replace(ORIGIN, profile=read_profile(tmp_path))
    laboratory = Document(modern(item="", occupied="false").encode())
    with pytest.raises(TranslationError) as caught:
        messages(N42, laboratory, origin)
    assert [fault.code for fault in caught.value.faults] == ["no-shipment"]
    assert messages(N42, Document(modern().encode()), origin)


def test_the_spectra_of_the_item_are_told_by_fingerprint_and_those_of_the_background_are_not() -> None:
    digest = "sha256:" + hashlib.sha256(b"1 2 3 987654").hexdigest()
    (quiet,) = read(modern())
    assert [(one.type, one.id) for one in quiet.data.documents] == [("spectrum", digest)]
    alert, _ = read(modern(alarm("Gamma")))
    assert ("n42:spectrum", digest) in [(one.value_name, one.value) for one in alert.data.parameters]
    behind = f"<RadMeasurement><MeasurementClassCode>Background</MeasurementClassCode>{SPECTRUM}</RadMeasurement>"
    assert read(modern(more=behind))[0].data.documents == quiet.data.documents
    many = "".join(SPECTRUM.replace("987654", str(number)) for number in range(40))
    assert len(read(modern(more=f"<RadMeasurement>{many}</RadMeasurement>"))[0].data.documents) == MAX_SPECTRA


@pytest.mark.parametrize("prefix", ["DHS", "sym-2", "x.y"])
def test_a_prefix_that_is_never_declared_is_repaired_and_told(prefix: str) -> None:
    more = f"<{prefix}:InterSpec {prefix}:version='5'><{prefix}:Note>n</{prefix}:Note></{prefix}:InterSpec>"
    alert, _ = read("<?xml version='1.0'?>\n<!-- <a> -->\n" + modern(alarm("Gamma"), more=more))
    assert "undeclared-prefix" in warned(alert)
    assert refusal(modern(alarm("Gamma"), more=more + "<open>")) == ["not-well-formed"]


def test_documents_in_an_envelope_are_read_each() -> None:
    inner = portal(alarms="<Alarm>Neutron</Alarm>")
    event = f"<Event xmlns:sym='urn:x'><EventCategory>CBRNE</EventCategory>{inner}{portal('<VIN>1</VIN>')}</Event>"
    assert [message.type for message in read(event)] == ["alert.issued", "shipment.inspected"]


def test_a_handheld_without_zone_and_time_is_told_so() -> None:
    content = portal(alarms="<Alarm>Gamma</Alarm>").replace("2026-03-01T00:00:00Z", "2026-03-01T00:00:00")
    assert read(content)[0].data.zone_assumed
    late = read(content.replace("2026-03-01T00:00:00", "yesterday"))[0]
    assert late.time == ORIGIN.received
    assert "missing" in warned(late)


def test_an_alarm_leaves_as_a_cap_alert_that_says_the_same() -> None:
    alert, hold = read(modern(alarm("Gamma"), nuclide("Cs-137")))
    (again,) = messages(by_name("cap"), Document(by_name("cap").write(alert)), ORIGIN)
    assert again.data.about == alert.data.about
    assert (again.data.severity, again.data.certainty, again.data.category) == ("Severe", "Observed", ["CBRNE"])
    assert by_name("cap").write(hold)


def test_faults_and_warnings_never_repeat_what_the_document_says() -> None:
    secret = "Zephyrine"
    found = read(portal(f"<ContainerNumber>{secret}</ContainerNumber>", "<Alarm>Gamma</Alarm>").replace("00Z", secret))
    assert warned(found[0]) >= {"container-number", "missing"}
    assert secret not in str(found[0].data.native)


def test_a_document_of_megabytes_is_read_soon() -> None:
    big = modern(alarm("Gamma")).replace("</ChannelData>", "1 " * 2_000_000 + "</ChannelData>")
    many = modern(alarm("Gamma"), more=f"<RadMeasurement>{SPECTRUM * 20_000}</RadMeasurement>")
    for content in (big, many):
        started = time.process_time()
        assert len(read(content)) == 2
        assert time.process_time() - started < 5
    flood = modern(alarm("Gamma", "x") * 5000 + "".join(alarm("Other", str(n)) for n in range(500)))
    assert len(read(flood)[0].data.parameters) < 70


@pytest.mark.parametrize("prolog", [" " * 50_000, "<?a?>" * 10_000, "<!--a-->" * 10_000, "<?" * 20_000])
def test_a_hostile_prolog_ends_soon(prolog: str) -> None:
    started = time.process_time()
    with suppress(TranslationError):
        messages(by_name("n42"), Document((prolog + "x" + modern(more="<D:a/>")).encode()), ORIGIN)
    assert time.process_time() - started < 2


_SEEDS = [modern(alarm("Gamma"), nuclide("Cs-137")).encode(), portal("<VIN>1</VIN>", "<Alarm>Gamma</Alarm>").encode()]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_SEEDS), st.integers(0, 4000), st.binary(max_size=6) | st.text(max_size=6).map(str.encode),
       st.integers(0, 40))  # fmt: skip
def test_whatever_is_broken_is_refused_and_never_breaks(seed: bytes, at: int, put: bytes, cut: int) -> None:
    document = Document(seed[: at % len(seed)] + put + seed[at % len(seed) + cut :])
    assert 0 <= by_name("n42").recognise(document) <= 1
    with suppress(TranslationError):
        messages(by_name("n42"), document, ORIGIN)
