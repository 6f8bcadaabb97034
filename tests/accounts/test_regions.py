from __future__ import annotations

import pytest

from recsys.accounts.regions import COUNTRIES, normalise_region, region_name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("gb", "GB"),
        (" us-ca ", "US-CA"),
        ("us_ca", "US-CA"),
        ("United Kingdom", "GB"),
        ("uk", "GB"),
        ("brazil", "BR"),
        ("FR-75C", "FR-75C"),
        ("", ""),
    ],
)
def test_understands_what_people_write(text, code):
    assert normalise_region(text) == code


@pytest.mark.parametrize("text", ["XX", "GBR", "GB-", "GB-ABCD", "US-C A", "US-CA-1", "<script>", "ＧＢ", "Atlantis"])
def test_refuses_the_rest_and_says_what_to_do(text):
    with pytest.raises(ValueError, match=r"region|subdivision"):
        normalise_region(text)


def test_every_country_has_a_name_that_leads_back_to_it():
    assert len(COUNTRIES) == 249
    assert all(normalise_region(name) == code for code, name in COUNTRIES.items())


def test_names_are_for_people():
    assert region_name("GB") == "United Kingdom"
    assert region_name("US-CA") == "United States (CA)"
    assert region_name("QQ") == "QQ"
