"""Profiles of codes: inherited code by code, every fault at once, taken up while an adapter runs."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.commands import faults
from adapters.document import Document, Origin
from adapters.formats import by_name
from adapters.profile import NEUTRAL, UK, built_in, built_in_names, chosen, read_profile, stamp
from adapters.runner import Runner
from adapters.translator import messages
from broker.settings import load
from schemas import parse
from schemas.errors import ConfigError, TranslationError
from tests.harness import as_bytes, shipment

IDENTIFIED = {"identifiers": [{"scheme": "mrn", "value": "26KR0001"}], "occurred": "2026-11-24T08:00:00+09:00"}


def profile(folder: Path, heading: str = 'title = "Korea"\nversion = "2"\nextends = "base"\n', **families: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.toml").write_text(heading)
    for family, text in families.items():
        (folder / f"{family}.toml").write_text(text)
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    text = '[outcome]\n"1" = "released"\n"2" = "held"\n[role]\nCN = "consignee"\n'
    return profile(tmp_path / "base", 'title = "Base"\nversion = "1"\n', cusres=text)


def test_what_a_profile_does_not_say_the_one_it_extends_says_code_by_code(base: Path, tmp_path: Path) -> None:
    found = read_profile(profile(tmp_path / "kr", cusres='[outcome]\n"2" = "refused"\n"9" = "rejected"\n'))
    assert dict(found.table("cusres", "outcome")) == {"1": "released", "2": "refused", "9": "rejected"}
    assert dict(found.table("cusres", "role")) == {"CN": "consignee"}
    assert found.sections("cusres") == {"outcome", "role"}
    assert dict(found.table("cusres", "nothing")) == dict(found.table("nothing", "nothing")) == {}
    assert (found.name, found.title, found.version) == ("kr", "Korea", "2")


def test_a_table_cannot_be_changed_by_who_reads_it(base: Path) -> None:
    table: Any = read_profile(base).table("cusres", "outcome")
    with pytest.raises(TypeError):
        table["1"] = "held"


def test_every_fault_of_a_profile_is_told_with_file_and_key(tmp_path: Path) -> None:
    folder = profile(tmp_path / "kr", 'titel = "Korea"\nversion = 2\n', one="[broken", two='outcome = "held"\n')
    with pytest.raises(ConfigError) as raised:
        read_profile(folder)
    assert [(fault.code, fault.pointer) for fault in raised.value.faults] == [
        ("unknown-key", "kr/profile.toml:titel"),
        ("missing", "kr/profile.toml:title"),
        ("missing", "kr/profile.toml:version"),
        ("not-toml", "kr/one.toml"),
        ("not-a-table", "kr/two.toml:outcome"),
    ]


def test_a_slip_of_the_pen_is_told_when_the_profile_is_read_and_not_by_a_document(tmp_path: Path) -> None:
    text = '[response]\n"08" = { type = "shipment.relesed", outcome = "Released" }\n"09" = { typ = "x" }\n'
    text += '[previous-document]\nABC = "ucrs"\n[declaration]\n"9" = "repeated"\n[responses]\n"1" = "x"\n'
    folder = profile(tmp_path / "kr", 'title = "K"\nversion = "1"\nextends = "neutral"\n', wco=text, wcoo="[a]\n")
    with pytest.raises(ConfigError) as raised:
        read_profile(folder)
    assert [(fault.code, fault.pointer) for fault in raised.value.faults] == [
        ("meaning", "kr/wco.toml:response.08"),
        ("meaning", "kr/wco.toml:response.09"),
        ("meaning", "kr/wco.toml:previous-document.ABC"),
        ("unknown-section", "kr/wco.toml:responses"),
        ("unknown-family", "kr/wcoo.toml"),
    ]


def test_a_part_of_a_meaning_that_is_missing_and_a_rule_that_there_is_none_of_are_slips_too(tmp_path: Path) -> None:
    ens = '[intervention]\nA1 = { event = "shipment.held" }\n[rule]\nitem-number = "R7"\n[number]\nmass-zeroes = "1"\n'
    ncts = '[notification]\n"7" = { event = "shipment.held", outcome = "control" }\n'
    folder = profile(tmp_path / "kr", 'title = "K"\nversion = "1"\nextends = "uk"\n', ens=ens, ncts=ncts)
    with pytest.raises(ConfigError) as raised:
        read_profile(folder)
    assert [(fault.code, fault.pointer) for fault in raised.value.faults] == [
        ("meaning", "kr/ens.toml:intervention.A1"),
        ("unknown-code", "kr/ens.toml:rule.item-number"),
        ("unknown-code", "kr/ens.toml:number.mass-zeroes"),
    ]
    assert "item-numbers" in raised.value.faults[1].detail


def test_a_nations_own_response_codes_are_read_and_written(tmp_path: Path) -> None:
    text = '[response]\n"44" = { type = "shipment.released", outcome = "let-go" }\n'
    folder = profile(tmp_path / "kr", 'title = "K"\nversion = "1"\nextends = "neutral"\n', wco=text)
    own, translator = read_profile(folder), by_name("wco-res")
    decided = {"authority": "kr.customs", "outcome": "let-go"}
    event = shipment(type="shipment.released", subject="S1", data={"decision": decided, **IDENTIFIED})
    written = translator.write(parse(as_bytes(event)), own)
    assert b"<FunctionCode>44</FunctionCode>" in written
    assert b"<FunctionCode>08</FunctionCode>" in translator.write(parse(as_bytes(event)))
    origin = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC), profile=own)
    (message,) = messages(translator, Document(written), origin)
    assert message.type == "shipment.released"
    assert message.data.decision.outcome == "let-go"  # type: ignore[union-attr]
    with pytest.raises(TranslationError, match="function-code"):
        messages(translator, Document(written), Origin("kr.customs", origin.received))


def test_a_nation_says_which_time_tells_when_it_happened(tmp_path: Path) -> None:
    row = '"{}" = {{ type = "shipment.{}", outcome = "{}", moment = "{}" }}\n'
    text = (
        "[response]\n"
        + row.format("44", "released", "let-go", "release")
        + row.format("45", "rejected", "thrown-out", "rejection")
    )
    own = read_profile(profile(tmp_path / "kr", 'title = "K"\nversion = "1"\nextends = "neutral"\n', wco=text))
    translator, origin = by_name("wco-res"), Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC), profile=own)
    for type_, outcome, field in (
        ("shipment.released", "let-go", b"<ReleaseDateTime>"),
        ("shipment.rejected", "thrown-out", b"<RejectionDateTime>"),
    ):
        decided = {"authority": "kr.customs", "outcome": outcome, "reason": "so"}
        event = shipment(type=type_, subject="S1", data={"decision": decided, **IDENTIFIED})
        written = translator.write(parse(as_bytes(event)), own)
        assert field in written
        assert b"EffectiveDateTime" not in written
        assert (b"<Error>" in written) == (type_ == "shipment.rejected")
        (message,) = messages(translator, Document(written), origin)
        assert message.data.occurred == parse(as_bytes(event)).data.occurred  # type: ignore[union-attr]


@pytest.mark.parametrize("other", ["kr", "jp", "nowhere"])
def test_a_circle_of_profiles_and_an_unknown_one_are_refused(tmp_path: Path, other: str) -> None:
    folder = profile(tmp_path / "kr", f'title = "Korea"\nversion = "1"\nextends = "{other}"\n')
    profile(tmp_path / "jp", 'title = "Japan"\nversion = "1"\nextends = "kr"\n')
    with pytest.raises(ConfigError):
        read_profile(folder)


def test_a_profile_without_its_heading_or_of_absurd_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kr").mkdir()
    with pytest.raises(ConfigError, match=r"profile\.toml"):
        read_profile(tmp_path / "kr")
    profile(tmp_path / "kr", 'title = "K"\nversion = "1"\n', big="#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="at most"):
        read_profile(tmp_path / "kr")


def test_cbms_own_profiles_are_whole_and_the_uk_builds_on_the_neutral_one() -> None:
    assert {"neutral", "uk"} <= set(built_in_names())
    assert all(built_in(name).title for name in built_in_names())
    assert UK.parent is NEUTRAL
    with pytest.raises(ConfigError, match="neutral"):
        built_in("atlantis")
    origin = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC))
    assert origin.profile is NEUTRAL
    assert Document(b"x").sha256


def configured(folder: Path, name: str) -> Path:
    path = folder / "cbm.toml"
    path.write_text(
        '[[agency]]\nid = "kr.customs"\nname = "K"\nsector = "customs"\npublishes = ["shipment.*"]\n'
        f'[[adapter]]\nagency = "kr.customs"\nreads = ["cap"]\ninbox = "in"\noutbox = "out"\nprofile = "{name}"\n'
    )
    return path


def test_check_names_the_adapter_whose_profile_has_faults(tmp_path: Path) -> None:
    found = list(faults(load(configured(tmp_path, "atlantis"), {})))
    assert [(one.code, one.pointer) for one in found] == [("unknown-profile", "adapter[0].profile: atlantis")]
    profile(tmp_path / "kr", 'title = "K"\nversion = "1"\n', one="[broken")
    found = list(faults(load(configured(tmp_path, "./kr"), {})))
    assert [(one.code, one.pointer) for one in found] == [("not-toml", "adapter[0].profile: kr/one.toml")]


def test_an_adapter_takes_a_changed_profile_up_and_keeps_the_old_one_where_the_new_one_has_faults(
    base: Path, tmp_path: Path
) -> None:
    settings = load(configured(tmp_path, "./base"), {})
    runner = Runner(settings, settings.adapter[0], None)  # type: ignore[arg-type]
    before = runner._profile
    runner._renew()
    assert runner._profile is before
    (base / "cusres.toml").write_text('[outcome]\n"1" = "held"\n')
    runner._renew()
    assert dict(runner._profile.table("cusres", "outcome")) == {"1": "held"}
    after = runner._profile
    (base / "cusres.toml").write_text("[broken")
    runner._renew()
    assert runner._profile is after
    (base / "cusres.toml").write_text('[outcome]\n"1" = "refused"\n')
    runner._renew()
    assert dict(runner._profile.table("cusres", "outcome")) == {"1": "refused"}


def test_a_change_of_the_profile_beside_it_that_it_extends_is_seen_too(base: Path, tmp_path: Path) -> None:
    folder = profile(tmp_path / "kr")
    name = str(folder)
    before = stamp(name)
    assert stamp(name) == before
    os.utime(base / "cusres.toml", (1, 1))
    assert stamp(name) != before
    assert stamp("neutral") == ()
    assert chosen(name).parent is not None
