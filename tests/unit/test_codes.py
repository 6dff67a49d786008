"""Codes of the field: check digits, countries, places, references."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso6346

from schemas.codes import (
    container_check_digit,
    container_warning,
    has_container_form,
    hs6,
    is_country,
    is_locode,
    normal_identifier,
    ucr_warning,
)

owners = st.text(string.ascii_uppercase, min_size=3, max_size=3)
serials = st.text(string.digits, min_size=6, max_size=6)


@given(owners, st.sampled_from("UJZ"), serials)
def test_the_container_check_digit_agrees_with_python_stdnum(owner: str, category: str, serial: str) -> None:
    number = f"{owner}{category}{serial}"
    assert str(container_check_digit(number)) == iso6346.calc_check_digit(number)


@given(owners, st.sampled_from("UJZR"), serials, st.integers(0, 9))
def test_a_container_number_is_odd_exactly_when_its_check_digit_is_wrong(
    owner: str, category: str, serial: str, digit: int
) -> None:
    number = f"{owner}{category}{serial}{digit}"
    assert has_container_form(number)
    assert (container_warning(number) is None) == (digit == container_check_digit(number))


@pytest.mark.parametrize("number", ["CSQU305438", "CSQA3054383", "csqu3054383", "CSQU30543833", "CSQU3054383\n", ""])
def test_what_has_not_the_form_of_a_container_number_is_said_so(number: str) -> None:
    assert not has_container_form(number)
    assert "form" in (container_warning(number) or "")


@pytest.mark.parametrize("code", ["KR", "TH", "XI", "EU"])
def test_countries_and_customs_codes_are_known(code: str) -> None:
    assert is_country(code)


@pytest.mark.parametrize("code", ["ZZ", "kr", "", "KOR", "UK"])
def test_other_codes_are_no_countries(code: str) -> None:
    assert not is_country(code)


@pytest.mark.parametrize("code", ["KRPUS", "USNYC", "GB3TP"])
def test_a_locode_has_its_form_in_a_known_country(code: str) -> None:
    assert is_locode(code)


@pytest.mark.parametrize("code", ["KRPU", "ZZPUS", "KRPU0", "KRPU1", "krpus", "KRPUS\n", "KR PUS"])
def test_what_is_no_locode_is_told_apart(code: str) -> None:
    assert not is_locode(code)


@pytest.mark.parametrize("value", ["6KR12345678", "6GB123456789000-A(1)/2."])
def test_a_well_formed_ucr_is_not_odd(value: str) -> None:
    assert ucr_warning(value) is None


@pytest.mark.parametrize("value", ["KR12345678", "6ZZ12345678", "6KR", "6KR" + "1" * 33, "6KR12_34"])
def test_a_malformed_ucr_is_odd(value: str) -> None:
    assert ucr_warning(value)


@given(st.text())
def test_normalising_an_identifier_twice_changes_nothing_more_and_leaves_no_blank(value: str) -> None:
    once = normal_identifier(value)
    assert normal_identifier(once) == once
    assert not any(character.isspace() for character in once)


@given(st.text(string.digits, min_size=2, max_size=14))
def test_commodity_codes_are_compared_to_six_digits(code: str) -> None:
    assert code.startswith(hs6(code))
    assert len(hs6(code)) == min(len(code), 6)
