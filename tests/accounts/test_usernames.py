from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.accounts.usernames import derive_username, username_fault


@pytest.mark.parametrize("username", ["a", "ana", "ana.b", "a-b_c", "7", "ana_", "x" * 30])
def test_ordinary_usernames_may_exist(username):
    assert username_fault(username) is None


BAD = ["", ".", "..", "a..b", "a.", "a/b", "a?b", "a#b", "a%2fb", "@a", "ana ", "Ana", "é"]


@pytest.mark.parametrize("username", BAD)
def test_usernames_that_break_addresses_may_not(username):
    assert "letters" in str(username_fault(username))


def test_reserved_names_may_not():
    assert "reserved" in str(username_fault("admin"))


@given(st.text(min_size=1, max_size=128), st.booleans())
def test_derived_usernames_are_always_good_and_the_same(external_id, distinct):
    external_id = external_id.encode("utf-8", "ignore").decode() or "x"
    username = derive_username(external_id, distinct=distinct)
    assert username_fault(username) is None
    assert username == derive_username(external_id, distinct=distinct)


def test_distinct_ids_get_distinct_names():
    assert derive_username("A b") != derive_username("a-b")
    assert derive_username("ana", distinct=True) != derive_username("ana")
