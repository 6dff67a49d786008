"""cbm.toml and CBM_ variables: what is wrong stops the start and is named; secrets stay out of the file."""

import re
from pathlib import Path

import pytest

from broker.settings import Settings, known_variables, load, type_matches
from schemas.envelope import Tlp
from schemas.errors import ConfigError

GOOD = """
[node]
name = "kr-busan"
state_dir = "state"

[[agency]]
id = "kr.customs"
name = "Customs"
sector = "customs"
publishes = ["shipment.*"]

[[agency]]
id = "kr.quarantine"
name = "Quarantine"
sector = "quarantine"

[[agreement]]
id = "a"
from = ["kr.customs"]
to = ["kr.quarantine"]
types = ["shipment.*"]
purpose = "p"
legal_basis = "l"
valid_from = 2026-01-01

[[adapter]]
agency = "kr.customs"
inbox = "in"
outbox = "out"
"""


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "cbm.toml"
    path.write_text(text)
    return load(path, environment or {})


def faults(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, environment)
    return {fault.pointer: (fault.code, fault.detail) for fault in caught.value.faults}


def test_a_good_file_is_read_and_its_paths_stand_below_it(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.node.name == "kr-busan"
    assert settings.state_dir == tmp_path / "state"
    assert settings.adapter[0].inbox == tmp_path / "state" / "in"
    assert settings.agreement[0].from_ == ("kr.customs",)
    assert settings.agreement[0].max_tlp is Tlp.AMBER_STRICT
    assert settings.find_agency("kr.quarantine") is not None
    assert settings.find_agency("kr.border") is None


def test_an_empty_file_has_every_default(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert (settings.rabbitmq.vhost, settings.rabbitmq.url, settings.ledger.url) == ("cbm", "", "")
    assert settings.limits.message_bytes == 1024 * 1024


@pytest.mark.parametrize(
    ("change", "place", "nearest"),
    [
        (("[node]", "[nodes]"), "nodes", "node"),
        (('name = "kr-busan"', 'nmae = "kr-busan"'), "node.nmae", "name"),
        (("publishes", "publish"), "agency[0].publish", "publishes"),
        (("from =", "form ="), "agreement[0].form", "from"),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_one(
    tmp_path: Path, change: tuple[str, str], place: str, nearest: str
) -> None:
    code, detail = faults(tmp_path, GOOD.replace(*change, 1))[place]
    assert code == "unknown-key"
    assert detail.endswith(f"nearest known is {nearest}")


def test_an_unknown_variable_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    found = faults(tmp_path, GOOD, {"CBM_NODE__NAEM": "x", "PATH": "/bin", "CBM_TEST_ANY": "1", "CBM_CORPUS": "x"})
    assert set(found) == {"CBM_NODE__NAEM"}
    assert "CBM_NODE__NAME" in found["CBM_NODE__NAEM"][1]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('name = "kr-busan"', 'naem = "x"').replace('sector = "customs"', 'sector = "police"')
    assert {"node.naem", "agency[0].sector", "CBM_X"} <= set(faults(tmp_path, text, {"CBM_X": "1"}))


def test_a_variable_stands_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBM_NODE__NAME", "from-environment")
    monkeypatch.setenv("CBM_RABBITMQ__PASSWORD", "s3cr3t")
    path = tmp_path / "cbm.toml"
    path.write_text(GOOD)
    settings = load(path)
    assert settings.node.name == "from-environment"
    assert settings.rabbitmq.password is not None
    assert settings.rabbitmq.password.get_secret_value() == "s3cr3t"
    assert "s3cr3t" not in repr(settings)
    assert settings.state_dir == tmp_path / "state"


@pytest.mark.parametrize("table", ["rabbitmq", "ledger"])
@pytest.mark.parametrize("line", ['password = "s3cr3t"', 'url = "amqp://user:s3cr3t@host/"'])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, table: str, line: str) -> None:
    found = faults(tmp_path, f"[{table}]\n{line}\n")
    code, detail = found[f"{table}.{line.split()[0]}"]
    assert code == "secret-in-file"
    assert f"CBM_{table.upper()}__PASSWORD" in detail
    assert "s3cr3t" not in str(found)


@pytest.mark.parametrize("url", ["amqp://[::1", "amqp://user@host/"])
def test_an_odd_url_is_no_crash_of_the_check_for_secrets(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, f'[rabbitmq]\nurl = "{url}"\n').rabbitmq.url == url


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        (('to = ["kr.quarantine"]', 'to = ["kr.quarantin"]'), "agreement[0].to", "unknown-agency"),
        (('from = ["kr.customs"]', 'from = ["kr.custom"]'), "agreement[0].from", "unknown-agency"),
        (('types = ["shipment.*"]', 'types = ["shipment.hold"]'), "agreement[0].types", "unknown-type"),
        (('publishes = ["shipment.*"]', 'publishes = ["shipment.hold"]'), "agency[0].publishes", "unknown-type"),
        (
            ("valid_from = 2026-01-01", "valid_from = 2026-01-02\nvalid_until = 2026-01-01"),
            "agreement[0].valid_until",
            "never-valid",
        ),
        (
            ('[[adapter]]\nagency = "kr.customs"', '[[adapter]]\nagency = "kr.border"'),
            "adapter[0].agency",
            "unknown-agency",
        ),
        (('outbox = "out"', 'outbox = "out"\nzone = "Asia/Soul"'), "adapter[0].zone", "unknown-zone"),
        (('id = "kr.quarantine"', 'id = "kr.customs"'), "agency[1]", "repeated"),
    ],
)
def test_keys_that_contradict_each_other_are_named(
    tmp_path: Path, change: tuple[str, str], place: str, code: str
) -> None:
    assert faults(tmp_path, GOOD.replace(*change, 1))[place][0] == code


@pytest.mark.parametrize("missing", ["purpose", "legal_basis", "to", "types"])
def test_an_agreement_without_purpose_basis_recipients_or_types_is_refused(tmp_path: Path, missing: str) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{missing} ="))
    assert faults(tmp_path, text)[f"agreement[0].{missing}"][0] == "missing"


@pytest.mark.parametrize(
    ("key", "place", "code"),
    [
        ("where = { hs = [] }", "where.hs", "never-holds"),
        ("where = { min_severity = 'Severe' }", "where.min_severity", "never-holds"),
        ("where = { place = ['*'] }", "where.place", "always-holds"),
        ("where = {}", "where", "always-holds"),
        ("withhold = ['/data/goods/*/price']", "withhold", "unknown-field"),
        ("withhold = ['/subject']", "withhold[0]", "string-pattern-mismatch"),
        ("pseudonymise = ['/data/headline']", "pseudonymise", "unknown-field"),
    ],
)
def test_a_term_of_an_agreement_that_could_not_do_what_it_says_is_refused(
    tmp_path: Path, key: str, place: str, code: str
) -> None:
    text = GOOD.replace('purpose = "p"', f'purpose = "p"\n{key}')
    assert faults(tmp_path, text)[f"agreement[0].{place}"][0] == code


def test_agreements_in_further_files_count_and_their_faults_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "agreements").mkdir()
    file = tmp_path / "agreements" / "food.toml"
    start = GOOD.index("[[agreement]]")
    end = GOOD.find("\n[", start + 13)
    table = GOOD[start : end if end > 0 else None]
    file.write_text(table.replace('id = "', 'id = "food-'))
    path = tmp_path / "cbm.toml"
    path.write_text(GOOD)
    assert len(load(path, {}).agreement) == 2
    file.write_text(table)
    with pytest.raises(ConfigError) as raised:
        load(path, {})
    assert [fault.pointer for fault in raised.value.faults] == ["agreements/food.toml: agreement[0]"]


def test_a_group_stands_for_its_members(tmp_path: Path) -> None:
    path = tmp_path / "cbm.toml"
    agency = re.search(r'id = "([a-z]{2}\.[a-z-]+)"', GOOD)
    assert agency is not None
    text = re.sub(r"^to = .*$", 'to = ["everybody"]', GOOD, flags=re.MULTILINE)
    path.write_text(f'{text}\n[groups]\neverybody = ["{agency[1]}"]\n')
    assert load(path, {}).agreement[0].to == (agency[1],)


def test_no_file_and_no_toml_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.toml", {})
    assert caught.value.faults[0].code == "no-file"
    assert [code for code, _ in faults(tmp_path, "[node").values()] == ["not-toml"]


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(tmp_path, GOOD).node.name = "other"  # type: ignore[misc]


def test_every_key_of_a_table_has_its_variable() -> None:
    known = known_variables()
    assert {"CBM_CONFIG", "CBM_NODE__NAME", "CBM_LEDGER__PASSWORD", "CBM_LIMITS__DRAIN_S"} <= set(known)
    assert not any(name.startswith("CBM_AGENCY") for name in known)


@pytest.mark.parametrize(
    ("pattern", "type_", "matched"),
    [
        ("*", "alert.issued", True),
        ("shipment.*", "shipment.held", True),
        ("shipment.held", "shipment.held", True),
        ("shipment.*", "alert.issued", False),
        ("shipment.held", "shipment.released", False),
        ("shipment.h", "shipment.held", False),
    ],
)
def test_patterns_of_types(pattern: str, type_: str, matched: bool) -> None:
    assert type_matches(pattern, type_) is matched


def test_an_agency_without_a_password_needs_a_rabbitmq_that_takes_certificates(tmp_path: Path) -> None:
    alone = GOOD.replace('sector = "customs"', 'sector = "customs"\ncertificate_only = true')
    assert faults(tmp_path, alone)["agency[0].certificate_only"][0] == "no-way-in"
    for taken in ("tls = true", 'url = "amqps://rabbitmq.example"'):
        settings = read(tmp_path, f"{alone}\n[rabbitmq]\n{taken}\n")
        assert [agency.certificate_only for agency in settings.agency] == [True, False]


def test_the_files_that_rabbitmqs_url_names_stand_beside_the_configuration(tmp_path: Path) -> None:
    settings = read(tmp_path, '[rabbitmq]\nurl = "amqps://cbm@h?cacertfile=tls/ca.pem"\n')
    assert settings.rabbitmq.url == f"amqps://cbm@h?cacertfile={tmp_path}/tls/ca.pem"


KEY = '[[agency.key]]\nid = "first"\npublic = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"\n'


def with_key(text: str) -> str:
    """GOOD with something in the entry of customs, where [[agency.key]] belongs."""
    return GOOD.replace('publishes = ["shipment.*"]\n', f'publishes = ["shipment.*"]\n{text}', 1)


def test_an_agency_has_keys_and_may_have_to_sign(tmp_path: Path) -> None:
    customs, quarantine = read(tmp_path, with_key('signatures = "required"\n' + KEY)).agency
    assert (customs.signatures, [key.id for key in customs.key]) == ("required", ["first"])
    assert (quarantine.signatures, quarantine.key) == ("optional", ())


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ('signatures = "required"\n', "agency[0].signatures", "no-key"),
        (KEY + KEY, "agency[0].key[1]", "repeated"),
        (KEY + "valid_from = 2026-02-01\nvalid_until = 2026-01-31\n", "agency[0].key[0].valid_until", "never-valid"),
        (KEY.replace("HURo", "HUR"), "agency[0].key[0].public", "string-pattern-mismatch"),
        (KEY.replace("HURo", "HURp"), "agency[0].key[0].public", "string-pattern-mismatch"),
        (KEY.replace("first", "../first"), "agency[0].key[0].id", "string-pattern-mismatch"),
        (KEY + 'private = "x"\n', "agency[0].key[0].private", "unknown-key"),
    ],
)
def test_keys_by_which_nothing_could_be_verified_are_refused(tmp_path: Path, text: str, place: str, code: str) -> None:
    assert faults(tmp_path, with_key(text))[place][0] == code


def test_one_key_stands_in_one_place_alone(tmp_path: Path) -> None:
    twice = with_key(KEY + KEY.replace("first", "second"))
    assert faults(tmp_path, twice)["agency[0].key[1].public"][0] == "repeated"
    shared = with_key(KEY).replace('sector = "quarantine"\n', f'sector = "quarantine"\n{KEY}')
    assert faults(tmp_path, shared)["agency[1].key[0].public"][0] == "repeated"


def test_a_key_with_which_anybody_could_sign_is_refused(tmp_path: Path) -> None:
    weak = KEY.replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "A" * 43)
    assert "small order" in faults(tmp_path, with_key(weak))["agency[0].key[0].public"][1]


def test_the_private_key_of_an_adapter_lies_beside_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD + 'signing_key = "keys/customs.jwk"\nsign_by_field = true\n')
    assert settings.adapter[0].signing_key == tmp_path / "keys" / "customs.jwk"
    assert faults(tmp_path, GOOD + "sign_by_field = true\n")["adapter[0].sign_by_field"][0] == "no-key"
