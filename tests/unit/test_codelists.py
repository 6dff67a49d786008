"""Code lists: imported from what maintainers publish, named with their version, warned of and never refused."""

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.codelists import MAX_REMARKS, CodeLists, built_in, import_list, keep, kept, stamp, unknown_codes
from adapters.commands import register
from adapters.document import Document, Origin
from adapters.formats import by_name
from adapters.translator import messages
from broker.cli.main import app
from schemas import Shipment
from schemas.codes import COUNTRIES
from schemas.errors import NotFound, TranslationError

NOW = datetime(2026, 11, 24, tzinfo=UTC)
UNECE = (
    ',"KR",,".KOREA, REPUBLIC OF",,,,,,,,\r\n'
    ',"KR","PUS","Busan","Busan",,"12345---","AF","0601",,"3508N 12903E",\r\n'
    '"X","KR","XYZ","G\xf6ne","Gone",,"1-------","RL","9601",,,\r\n'
    '"=","KR",,"Fusan = Busan","Fusan = Busan",,,,,,,\r\n'
).encode("latin-1")


def shipment(**parts: Any) -> Shipment:
    identifiers = [{"scheme": "ucr", "value": "6KR1"}]
    return Shipment.model_validate({"identifiers": identifiers, "occurred": "2026-11-24T00:00:00Z"} | parts)


def imported(tmp_path: Path, name: str, content: bytes, file: str = "list.csv") -> CodeLists:
    source = tmp_path / file
    source.write_bytes(content)
    keep(import_list(name, source, "", NOW), tmp_path / "codes")
    return kept(tmp_path / "codes")


def test_countries_and_currencies_are_there_from_the_start_with_the_version_of_their_package() -> None:
    lists = built_in()
    assert lists.lists["country"].codes == COUNTRIES, "the schemas' own list is that of ISO 3166-1"
    assert lists.unknown("currency", "KRW") is None
    found = lists.unknown("currency", "KRX")
    assert found is not None
    assert found.startswith("ISO 4217, pycountry ")
    assert lists.unknown("country", "XI") is None, "Northern Ireland, in customs documents"
    assert lists.unknown("locode", "KRZZZ") is None, "no list, no warning"


def test_unlocode_is_read_as_unece_publishes_it_latin_1_and_without_a_heading(tmp_path: Path) -> None:
    lists = imported(tmp_path, "locode", UNECE, "2024-2 UNLOCODE CodeListPart1.csv")
    assert lists.lists["locode"].codes == {"KRPUS", "KRXYZ"}
    assert lists.unknown("locode", "KRPUS") is None
    assert lists.unknown("locode", "KRXXX") is None, "somewhere in Korea"
    assert lists.unknown("locode", "KRICN") == "UN/LOCODE, 2024-2"


@pytest.mark.parametrize("form", ["zip", "folder", "heading"])
def test_unlocode_comes_as_a_zip_a_folder_or_with_a_heading_too(tmp_path: Path, form: str) -> None:
    if form == "heading":
        content = b"Change,Country,Location,Name\n,KR,PUS,Busan\n,JP,TYO,Tokyo\n"
        assert imported(tmp_path, "locode", content).lists["locode"].codes == {"KRPUS", "JPTYO"}
        return
    parts = {"Part1.csv": UNECE, "Part2.csv": b',"JP","TYO","Tokyo"\n', "notes.txt": b"not a list"}
    source = tmp_path / "loc242csv"
    if form == "folder":
        source.mkdir()
        for name, content in parts.items():
            (source / name).write_bytes(content)
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        source = source.with_suffix(".zip")
        source.write_bytes(buffer.getvalue())
    found = import_list("locode", source, "", NOW)
    assert found.codes == {"KRPUS", "KRXYZ", "JPTYO"}
    assert found.version == "2024-2"


def test_hs_is_compared_to_six_digits_and_national_chapters_are_let_be(tmp_path: Path) -> None:
    content = b"section,hscode,description\nI,01,Animals\nI,0101,Horses\nI,010121,Pure-bred\n"
    lists = imported(tmp_path, "hs", content, "HS 2022.csv")
    goods = [{"hs": code} for code in ("01", "0101", "010121", "0101211000", "0199", "010199", "98010000", "99")]
    found = unknown_codes(shipment(goods=goods), lists)
    assert [(one.code, one.pointer, one.detail) for one in found] == [
        ("unknown-code", f"/data/goods/{n}/hs", "not in the Harmonized System, 2022") for n in (4, 5)
    ]


def test_hs_comes_as_un_comtrades_json_too(tmp_path: Path) -> None:
    content = {"results": [{"id": "TOTAL", "text": "all"}, {"id": "01", "text": "Animals"}, {"id": "0101"}]}
    assert imported(tmp_path, "hs", json.dumps(content).encode(), "H6.json").lists["hs"].codes == {"01", "0101"}


def test_each_place_that_holds_a_code_is_looked_at_and_a_code_is_told_of_once(tmp_path: Path) -> None:
    lists = imported(tmp_path, "locode", UNECE)
    lists = CodeLists({**lists.lists, **imported(tmp_path, "un-number", b"un\n1203\n").lists})
    value = {"amount": 1, "currency": "ABC"}
    body = shipment(
        place={"locode": "KRICN", "country": "KR"},
        goods=[{"un_number": "9999", "value": value}, {"un_number": "1203", "value": value}],
    )
    assert [one.pointer for one in unknown_codes(body, lists)] == [
        "/data/place/locode",
        "/data/goods/0/un_number",
        "/data/goods/0/value/currency",
    ]
    many = shipment(goods=[{"un_number": f"{n:04}"} for n in range(2000, 4000)])
    assert len(unknown_codes(many, lists)) == MAX_REMARKS


def test_an_unknown_code_is_a_warning_on_the_message_and_never_its_value(tmp_path: Path) -> None:
    lists = imported(tmp_path, "locode", UNECE, "loc242.csv")
    alert = (
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>A1</identifier><sender>s@example.org</sender>'
        b"<sent>2026-11-24T00:00:00+00:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
        b"<info><category>Other</category><event>pest</event><urgency>Future</urgency><severity>Minor</severity>"
        b"<certainty>Likely</certainty><area><areaDesc>port</areaDesc><geocode><valueName>UN/LOCODE</valueName>"
        b"<value>KRICN</value></geocode></area></info></alert>"
    )
    origin = Origin("kr.quarantine", NOW, codes=lists)
    (message,) = messages(by_name("cap"), Document(alert), origin)
    warnings = message.data.native.warnings  # type: ignore[union-attr]
    assert [(one.pointer, one.detail) for one in warnings] == [("/data/place/locode", "not in UN/LOCODE, 2024-2")]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("locode", b"", "no-codes"),
        ("hs", b"code\nnot a code\n", "no-codes"),
        ("hs", b'{"results": [', "not-json"),
        ("locode", b"\x00\xff" * 100, "no-codes"),
        ("locode", b'"' + b"x" * 200_000, "no-codes"),
        ("hs", b"[" * 100_000, "not-json"),
    ],
)
def test_what_is_no_list_is_refused_and_the_one_before_stays(
    tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    lists = imported(tmp_path, "locode", UNECE)
    with pytest.raises(TranslationError) as raised:
        imported(tmp_path, name, content)
    assert [fault.code for fault in raised.value.faults] == [code]
    assert kept(tmp_path / "codes") == lists


def test_an_unknown_list_a_missing_file_and_a_broken_kept_list_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="locode"):
        import_list("nothing", tmp_path, "", NOW)
    with pytest.raises(NotFound, match="No such file"):
        import_list("hs", tmp_path / "none.csv", "", NOW)
    (tmp_path / "hs.json").write_text("{}")
    with pytest.raises(TranslationError, match=r"hs\.json"):
        kept(tmp_path)


def test_the_commands_import_and_list(tmp_path: Path) -> None:
    config = tmp_path / "cbm.toml"
    config.write_text('[[agency]]\nid = "kr.customs"\nname = "K"\nsector = "customs"\npublishes = ["alert.*"]\n')
    (tmp_path / "loc242.csv").write_bytes(UNECE)
    assert register
    before = stamp(tmp_path / "var" / "codes")
    run = CliRunner()
    done = run.invoke(app, ["codes", "import", "locode", str(tmp_path / "loc242.csv"), "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert stamp(tmp_path / "var" / "codes") != before
    done = run.invoke(app, ["codes", "ls", "--json", "--config", str(config)])
    rows = {row["list"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert (rows["locode"]["version"], rows["locode"]["codes"]) == ("2024-2", 2)
    assert {"country", "currency", "locode"} == set(rows)
