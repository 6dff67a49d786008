"""Promises about the form and the business rules of entry summary declarations: each has its number."""

import pytest

from adapters.ens_codes import FORMS, STRUCTURES, TRADERS
from adapters.ens_form import has_form, structure
from adapters.ens_rules import RULES
from tests.entry_summaries import (
    AIR,
    AMENDED,
    CARRIER,
    CONSIGNEE_OF_ITEM,
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
    SHIP,
    TO_ORDER,
    changed,
    circumstance,
    numbers,
    warnings,
)  # fmt: skip

# What breaks each rule, and what else that breaks.
BREAKS: list[tuple[str, list[tuple[str, str]], list[str]]] = [
    ("4065", [("GB12345/1234567890", "gb12345/1234567890")], []),
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
    ("r806", [(CARRIER[0], CARRIER[1].replace("GB5", "GB12345"))], []),
    (
        "c511",
        [("<TRACONCE1>", "<TRACONCO1><TINCO159>GB1</TINCO159></TRACONCO1><TRACONCE1>"), CONSIGNOR_OF_ITEM],
        ["8193"],
    ),
    (
        "c562",
        [circumstance("E"), ("<TRACONCE1><TINCE159>GB777</TINCE159>", "<TRACONCE1>")],
        ["8125", "8126", "8127", "8128", "8129"],
    ),
    (
        "c576",
        [
            ("<ComRefNumHEA>", "<TraChaMetOfPayHEA1>A</TraChaMetOfPayHEA1><ComRefNumHEA>"),
            ("<UNDanGooCodGDI1>", "<MetOfPayGDI12>A</MetOfPayGDI12><UNDanGooCodGDI1>"),
        ],
        [],
    ),
]  # fmt: skip


def test_the_declaration_that_the_others_start_from_breaks_no_rule() -> None:
    assert numbers(NEW.encode()) == numbers(AMENDED.encode()) == []


@pytest.mark.parametrize(("number", "edits", "also"), BREAKS, ids=[entry[0] for entry in BREAKS])
def test_a_broken_rule_is_told_by_its_number_and_the_declaration_is_read(
    number: str, edits: list[tuple[str, str]], also: list[str]
) -> None:
    content = changed(*edits)
    expected = sorted(f"ens-{each}" for each in (number, *also))
    assert numbers(content) == expected
    assert set(expected) <= warnings(content)


def test_every_rule_has_something_here_that_breaks_it() -> None:
    assert {rule.number for rule in RULES} == {number for number, _, _ in BREAKS}


@pytest.mark.parametrize("group", [name for name, trader in TRADERS.items() if trader.required])
def test_a_party_has_a_british_tin_or_name_and_address(group: str) -> None:
    trader = TRADERS[group]
    assert trader.required is not None
    values = dict(zip(trader.fields, ("N", "S", "P", "C", "KR", "en", "GB1"), strict=True))

    def party(*names: str, tin: str | None = None) -> bytes:
        told = "".join(f"<{name}>{values[name]}</{name}>" for name in names)
        told += f"<{trader.tin}>{tin}</{trader.tin}>" if tin else ""
        return _with(group, f"<{group}>{told}</{group}>")

    def about_it(content: bytes) -> list[str]:
        return [n for n in numbers(content) if n[4:].isdigit() and int(n[4:]) in mine]

    mine = {base + i for base in (trader.required, trader.required + 100, trader.forbidden) for i in range(5)}
    assert about_it(party(*trader.address)) == about_it(party(tin="GB1")) == []
    assert about_it(party(*trader.address, tin="KR1")) == []
    assert about_it(party()) == [f"ens-{trader.required + i}" for i in range(5)]
    assert about_it(party(tin="KR1")) == [f"ens-{trader.required + 100 + i}" for i in range(5)]
    assert about_it(party(*trader.address, tin="GB1")) == [f"ens-{trader.forbidden + i}" for i in range(5)]


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
    assert numbers(content) == [f"ens-{trader.forbidden + 4}"]


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
        groups = [structure(name)]
        while groups:
            parts = groups.pop()
            assert parts
            assert len({part.name for part in parts}) == len(parts)
            assert all((part.form in FORMS) != bool(part.parts) for part in parts)
            groups += [part.parts for part in parts if part.parts]
