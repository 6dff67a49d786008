"""Promises about the form and the business rules of entry summary declarations: each has its number."""

import pytest

from adapters.ens_form import has_form, structure
from adapters.ens_rules import RULES
from adapters.ens_structures import FORMS, STRUCTURES, TRADERS
from adapters.profile import NEUTRAL, UK, Profile
from tests.entry_summaries import (
    AIR,
    AMENDED,
    BRITISH,
    CARRIER,
    CONSIGNEE_OF_ITEM,
    CONSIGNOR,
    CONSIGNOR_OF_ITEM,
    DECLARANT,
    FLIGHT,
    MARKS,
    NATIONAL,
    NEW,
    NO_CONSIGNEE,
    NO_DOCUMENTS,
    NO_MEANS,
    NOTIFY,
    NOTIFY_OF_ITEM,
    PACKED,
    ROAD,
    SEA,
    SEAL,
    SHIP,
    TO_ORDER,
    changed,
    circumstance,
    numbers,
    warnings,
)  # fmt: skip

NEW_PACKAGES = f"<PACGS2>{PACKED}{MARKS}</PACGS2>\n"
SECOND_ITEM = ("</GOOITEGDS>", f"</GOOITEGDS><GOOITEGDS>{NEW.partition('<GOOITEGDS>')[2].partition('</GOOITEGDS>')[0]}"
               "</GOOITEGDS>")  # fmt: skip
NO_TOTALS = [("<TotNumOfIteHEA305>1</TotNumOfIteHEA305>\n", ""), ("<TotGroMasHEA307>120.5</TotGroMasHEA307>\n", "")]
MEANS_OF_ITEM = NO_MEANS[0].strip()
ONE_COUNTRY = ("<ITI><CouOfRouCodITI1>KR</CouOfRouCodITI1></ITI>\n", "")


def many(times: int) -> tuple[str, str]:
    return MEANS_OF_ITEM, MEANS_OF_ITEM * times


# HMRC's number of each rule, what breaks it, and what else that breaks.
BREAKS: list[tuple[str, list[tuple[str, str]], list[str]]] = [
    ("4065", [("GB12345/1234567890", "gb12345/1234567890")], []),
    ("8102", [("<IteNumGDS7>1<", "<IteNumGDS7>2<")], []),
    ("8102", [SECOND_ITEM, *NO_TOTALS], []),
    ("8103", [("<TotGroMasHEA307>120.5</TotGroMasHEA307>\n", ""), ("<GroMasGDS46>120.5</GroMasGDS46>\n", "")], []),
    ("8104", [("<PlaLoaGOOITE334>THLCH</PlaLoaGOOITE334>\n", "")], []),
    ("8107", [SEA, NO_MEANS], ["8199"]),
    ("8111", [circumstance("C")], []),
    ("8112", [SEA, SHIP, NO_MEANS, circumstance("D")], []),
    ("8113", [AIR, SHIP, NO_MEANS, FLIGHT], []),
    ("8114", [SEA, SHIP, NO_MEANS, ("9123453", "912345")], []),
    ("8115", [("<TotNumOfIteHEA305>", "<NatOfMeaOfTraCroHEA87>KR</NatOfMeaOfTraCroHEA87><TotNumOfIteHEA305>")], []),
    ("8118", [AIR, NO_MEANS], []),
    ("8136", [("<PRODOCDC2>", "<PlaLoaGOOITE333>THLCH</PlaLoaGOOITE333><PRODOCDC2>")], []),
    ("8147", [ROAD], []),
    ("8149", [("<KinOfPacGS23>CT", "<KinOfPacGS23>VQ")], []),
    ("8150", [("<KinOfPacGS23>CT", "<KinOfPacGS23>NE")], []),
    ("8151", [("<NumOfPacGS24>10</NumOfPacGS24>", "")], []),
    ("8152", [(MARKS, "")], []),
    ("8153", [("<NumOfPacGS24>10<", "<NumOfPacGS24>0<")], []),
    (
        "8164",
        [SEA, SHIP, NO_MEANS, (CARRIER[0], "<TRACARENT601/></e:CC315A>")],
        ["8159", "8160", "8161", "8162", "8163"],
    ),
    ("8170", [("<ComRefNumHEA>6kr 123-x</ComRefNumHEA>\n", ""), *NO_DOCUMENTS], []),
    ("8171", [("<PRODOCDC2>", "<PlaUnlGOOITE333>KRPUS</PlaUnlGOOITE333><PRODOCDC2>")], []),
    ("8193", [CONSIGNOR_OF_ITEM], []),
    ("8198", [SHIP], []),
    ("8199", [NO_MEANS], []),
    ("8204", [TO_ORDER, NOTIFY_OF_ITEM], []),
    ("8206", [("<TotNumOfIteHEA305>1<", "<TotNumOfIteHEA305>2<")], []),
    ("8616", [(DECLARANT, "<CUSOFFLON><RefNumCOL1>KRPUS001</RefNumCOL1></CUSOFFLON>" + DECLARANT)], []),
    ("8619", [NOTIFY], []),
    ("8620", [NOTIFY_OF_ITEM], []),
    ("8621", [NOTIFY, NOTIFY_OF_ITEM, TO_ORDER, NO_CONSIGNEE], []),
    ("8622", [NO_CONSIGNEE, TO_ORDER], []),
    ("8623", [NO_CONSIGNEE], []),
    ("8624", [NO_CONSIGNEE, TO_ORDER, CONSIGNEE_OF_ITEM, NOTIFY_OF_ITEM], []),
    ("8625", [CONSIGNEE_OF_ITEM], []),
    ("8671", [("<TotNumOfIteHEA305>1<", "<TotNumOfIteHEA305>01<")], []),
    ("8672", [("<TotNumOfPacHEA306>10<", "<TotNumOfPacHEA306>010<")], []),
    ("8673", [("<TotGroMasHEA307>120.5<", "<TotGroMasHEA307>+120.5<")], []),
    ("8674", [("<GroMasGDS46>120.5<", "<GroMasGDS46>0120.5<")], []),
    ("8675", [("<TotGroMasHEA307>120.5<", "<TotGroMasHEA307>120000000.000<")], []),
    ("8676", [("<GroMasGDS46>120.5<", "<GroMasGDS46>120.5000<")], []),
    ("8677", [("<GroMasGDS46>120.5<", "<GroMasGDS46>120.<")], []),
    ("8678", [("<IteNumGDS7>1<", "<IteNumGDS7>01<")], []),
    ("8679", [("<GroMasGDS46>120.5<", "<GroMasGDS46>-120.5<")], []),
    ("8680", [("<NumOfPacGS24>10<", "<NumOfPacGS24>010<")], []),
    ("8681", [(PACKED, "<KinOfPacGS23>NE</KinOfPacGS23><NumOfPieGS25>010</NumOfPieGS25>")], []),
    ("8685", [SEA, SHIP, NO_MEANS, ("<ConRefNumHEA>T 77<", "<ConRefNumHEA>XFERa:b:c<")], []),
    ("8686", [("<TotGroMasHEA307>120.5<", "<TotGroMasHEA307>120.4<")], []),
    ("8687", [("<PlaUnlGOOITE334>KRPUS</PlaUnlGOOITE334>\n", "")], []),
    ("8689", [("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>5<"), NATIONAL], []),
    ("8691", [circumstance("A")], []),
    ("8692", [("<TINPLD1>GB12345<", "<TINPLD1>KR12345<")], []),
    ("8195", [(CARRIER[0], CARRIER[1].replace("GB5", "GB12345"))], []),
    ("8119", [CONSIGNOR, CONSIGNOR_OF_ITEM], ["8119", "8193"]),
    (
        "8105",
        [circumstance("E"), ("<TRACONCE1><TINCE159>GB777</TINCE159>", "<TRACONCE1>")],
        ["8125", "8126", "8127", "8128", "8129"],
    ),
    (
        "8208",
        [circumstance("E"), NO_CONSIGNEE, (CONSIGNEE_OF_ITEM[0], "</COMCODGODITM><TRACONCE2/>")],
        ["8142", "8143", "8144", "8145", "8146"],
    ),
    (
        "8135",
        [
            ("<ComRefNumHEA>", "<TraChaMetOfPayHEA1>A</TraChaMetOfPayHEA1><ComRefNumHEA>"),
            ("<UNDanGooCodGDI1>", "<MetOfPayGDI12>A</MetOfPayGDI12><UNDanGooCodGDI1>"),
        ],
        [],
    ),
    (
        "8207",
        [
            ("<GooDesGDS23>Orchid plants</GooDesGDS23>\n", ""),
            ("<COMCODGODITM><ComNomCMD1>060290</ComNomCMD1></COMCODGODITM>\n", ""),
        ],
        [],
    ),
    ("8612", [many(1000)], []),
    ("8617", [(SEAL, SEAL * 10_000)], []),
    ("8684", [ONE_COUNTRY], []),
    ("8688", [(NEW_PACKAGES, "")], []),
    ("8690", [("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>02<")], []),
]  # fmt: skip


def test_the_declaration_that_the_others_start_from_breaks_no_rule() -> None:
    for profile in (UK, NEUTRAL):
        assert numbers(NEW.encode(), profile) == numbers(AMENDED.encode(), profile) == []


@pytest.mark.parametrize(
    ("number", "edits", "also"), BREAKS, ids=[f"{entry[0]}-{index}" for index, entry in enumerate(BREAKS)]
)
def test_a_broken_rule_is_told_by_its_number_and_the_declaration_is_read(
    number: str, edits: list[tuple[str, str]], also: list[str]
) -> None:
    content = changed(*edits)
    expected = sorted(f"ens-{each}" for each in (number, *also))
    assert numbers(content) == expected
    assert set(expected) <= warnings(content, BRITISH)


def test_every_rule_has_something_here_that_breaks_it() -> None:
    told = UK.table("ens", "number")
    assert {rule.name for rule in RULES} == NEUTRAL.table("ens", "rule").keys() - {
        "address-needed", "address-needed-abroad", "address-forbidden"
    }  # fmt: skip
    assert {told[rule.name] for rule in RULES if rule.name in told} == {"8611"} | {entry[0] for entry in BREAKS}
    assert {rule.name for rule in RULES} - told.keys() == {name for name, _, _ in FORMER} | {"items-total-needed"}


# Rules of the ICS that HMRC no longer has, and what breaks them.
FORMER: list[tuple[str, str, list[tuple[str, str]]]] = [
    (
        "nationality-needed", "C024",
        [ROAD, NO_MEANS, (SHIP[0], SHIP[1].replace("9123453", "KR1"))],
    ),
    ("packages-total-needed", "C582", [("<TotNumOfPacHEA306>10</TotNumOfPacHEA306>\n", "")]),
    ("packages-total-alone", "C582", [(NEW_PACKAGES, ""), ("<TotNumOfPacHEA306>10<", "<TotNumOfPacHEA306>0<")]),
    ("packages-total", "R105", [("<TotNumOfPacHEA306>10<", "<TotNumOfPacHEA306>11<")]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "condition", "edits"), FORMER, ids=[entry[0] for entry in FORMER])
def test_elsewhere_a_broken_rule_is_told_by_its_condition_and_so_is_one_that_hmrc_gave_up(
    rule: str, condition: str, edits: list[tuple[str, str]]
) -> None:
    content = changed(*edits)
    assert numbers(content, NEUTRAL) == [f"ens-{condition.lower()}"]
    assert f"ens-{condition.lower()}" in warnings(content)
    assert UK.table("ens", "rule")[rule] == ""
    assert [number for number in numbers(content, UK) if number != "ens-8688"] == []


def test_pieces_and_bulk_count_as_packages_in_the_total() -> None:
    more = "<PACGS2><KinOfPacGS23>VQ</KinOfPacGS23></PACGS2><PACGS2><KinOfPacGS23>NE</KinOfPacGS23>"
    more += "<NumOfPieGS25>4</NumOfPieGS25></PACGS2>"
    content = changed((NEW_PACKAGES, NEW_PACKAGES + more), ("<TotNumOfPacHEA306>10<", "<TotNumOfPacHEA306>15<"))
    assert numbers(content, NEUTRAL) == []


def test_a_nation_adds_rules_takes_them_away_and_numbers_them_as_it_likes() -> None:
    rules = {"item-numbers": "", "items-total-needed": "K1", "itinerary-needed": "C570"}
    own = Profile("kr", "", "1", NEUTRAL, {"ens": {"rule": rules, "number": {"itinerary-needed": "7001"}}})
    content = changed(
        *NO_TOTALS, ("<IteNumGDS7>1<", "<IteNumGDS7>5<"), ("<ITI><CouOfRouCodITI1>KR</CouOfRouCodITI1></ITI>\n", "")
    )
    assert numbers(content, own) == ["ens-7001", "ens-k1"]
    assert numbers(content, NEUTRAL) == ["ens-c570", "ens-r007"]


def test_no_more_than_999_items() -> None:
    item = NEW.partition("<GOOITEGDS>")[2].partition("</GOOITEGDS>")[0]
    items = [item.replace("<IteNumGDS7>1<", f"<IteNumGDS7>{number}<") for number in range(1, 1001)]
    content = changed((f"{item}</GOOITEGDS>", "</GOOITEGDS><GOOITEGDS>".join(items) + "</GOOITEGDS>"), *NO_TOTALS)
    assert numbers(content) == ["ens-8611"]


def test_outside_britain_no_party_has_to_be_british() -> None:
    edits = [("<TINPLD1>GB12345<", "<TINPLD1>KR12345<"), ("<TINCE159>GB777<", "<TINCE159>KR777<")]
    content = changed(*edits, ("<MesSenMES3>GB12345/1234567890<", "<MesSenMES3>KR12345<"))
    assert numbers(content, NEUTRAL) == []
    assert numbers(content, UK) == ["ens-4065", *(f"ens-{number}" for number in range(8225, 8230)), "ens-8692"]


@pytest.mark.parametrize("group", [name for name, trader in TRADERS.items() if not trader.tin_alone])
def test_a_party_has_a_british_tin_or_name_and_address(group: str) -> None:
    trader = TRADERS[group]
    missing, abroad, beside = (
        UK.table("ens", section)[group].split()
        for section in ("address-needed-number", "address-needed-abroad-number", "address-forbidden-number")
    )
    values = dict(zip(trader.fields, ("N", "S", "P", "C", "KR", "en", "GB1"), strict=True))

    def party(*names: str, tin: str | None = None) -> bytes:
        told = "".join(f"<{name}>{values[name]}</{name}>" for name in names)
        told += f"<{trader.tin}>{tin}</{trader.tin}>" if tin else ""
        return _with(group, f"<{group}>{told}</{group}>")

    def about_it(content: bytes) -> list[str]:
        return [n[4:] for n in numbers(content) if n[4:] in {*missing, *abroad, *beside}]

    assert about_it(party(*trader.address)) == about_it(party(tin="GB1")) == []
    assert about_it(party(*trader.address, tin="KR1")) == []
    assert about_it(party()) == missing
    assert about_it(party(tin="KR1")) == abroad
    assert about_it(party(*trader.address, tin="GB1")) == beside


def _with(group: str, party: str) -> bytes:
    """The declaration with one party put where the schema has it."""
    before = {
        "TRACONCO2": "<COMCODGODITM>",
        "TRACONCE2": "<CONNR2>",
        "PRTNOT640": "</GOOITEGDS>",
        "TRACARENT601": "</e:CC315A>",
    }.get(group, "<GOOITEGDS>")
    return changed(NO_CONSIGNEE, (before, party + before))


@pytest.mark.parametrize("group", ["TRAREP", "PERLODSUMDEC"])
def test_representative_and_declarant_are_named_by_their_tin_alone(group: str) -> None:
    trader = TRADERS[group]
    country = trader.fields[4]
    party = f"<{group}><{country}>KR</{country}><{trader.tin}>GB1</{trader.tin}></{group}>"
    content = changed((DECLARANT, party + (DECLARANT if group == "TRAREP" else "")))
    assert numbers(content) == [f"ens-{UK.table('ens', 'address-forbidden-number')[group].split()[4]}"]
    assert numbers(content, NEUTRAL) == []


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (("<RefNumHEA4>ENS-26-1</RefNumHEA4>", ""), "ens-missing"),
        (("<ITI>", "<Unknown/><ITI>"), "ens-unexpected"),
        (("<IteNumGDS7>1</IteNumGDS7>", "<ComRefNumGIM1>1</ComRefNumGIM1><IteNumGDS7>1</IteNumGDS7>"), "ens-order"),
        (("<RefNumHEA4>", "<RefNumHEA4>ENS-26-1</RefNumHEA4><RefNumHEA4>"), "ens-repeats"),
        (("<ITI>", "<ITI>text"), "ens-unexpected"),
        (("<ITI>", '<ITI a="b">'), "ens-unexpected"),
        (("<TotNumOfIteHEA305>1<", "<TotNumOfIteHEA305>one<"), "ens-form"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_form_is_told_and_read_and_no_rule_is_asked(edit: tuple[str, str], code: str) -> None:
    content = changed(edit, ("<TINPLD1>GB12345<", "<TINPLD1>KR12345<"))
    assert numbers(content) == [code]
    assert code in warnings(content)


def test_text_where_a_group_should_be_and_elements_where_a_text_should_are_told_once_each() -> None:
    country = "<CouOfRouCodITI1>TH</CouOfRouCodITI1>"
    assert numbers(changed((country, "TH"))) == ["ens-missing", "ens-unexpected"]
    assert numbers(changed((country, "<CouOfRouCodITI1><TH/></CouOfRouCodITI1>"))) == ["ens-unexpected"]
    assert numbers(changed((country, '<CouOfRouCodITI1 of="TH">TH</CouOfRouCodITI1>'))) == ["ens-unexpected"]
    instance = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="false"'
    assert numbers(changed((country, f"<CouOfRouCodITI1 {instance}>TH</CouOfRouCodITI1>"))) == []


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("decimal", ["0", "1.000", " 12345678901 ", "0012345678.901", "+1", ".5"], ["", ".", "+", "1,5", "1e3"]),
        ("decimal", ["123456789.0"], ["123456789012", "0.1234", "123456789.012", "9" * 99]),
        ("time12", ["202602281859", "202412310000"], ["202602301859", "202613010000", "202601012400", "2026010100"]),
        ("date6", ["260228"], ["260230", "261301", "20260228"]),
        ("tin", ["GB1", "KR a/b-1"], ["GB", "gb1", " GB1", "GB1\n", "GB" + "1" * 16, "KR부산1"]),
        ("mrn", ["26KR1A2B3C4D5E6F75"], ["26KR1A2B3C4D5E6F7X", "26kr1A2B3C4D5E6F75"]),
        ("office", ["KRPUS001"], ["KRPUS01", "12PUS001"]),
        ("place", ["KRPUS", " Oxford "], ["KR", "1KPUS", "KR" + "x" * 34]),
        ("x5", ["a b c", " a  b  c "], ["", " ", "abcdef"]),
        ("message-type", ["CC315A", "CD906B"], ["CC317A", "CD907B"]),
    ],
)  # fmt: skip
def test_a_form_takes_what_the_schema_takes(form: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not has_form(form, value)] == []
    assert [value for value in bad if has_form(form, value)] == []


def test_every_structure_uses_known_forms_and_each_name_once_in_a_group() -> None:
    for name in STRUCTURES:
        groups = [structure(name).parts]
        while groups:
            parts = groups.pop()
            assert parts
            assert len({part.name for part in parts}) == len(parts)
            assert all((part.form in FORMS) != bool(part.parts) for part in parts)
            groups += [part.parts for part in parts if part.parts]
