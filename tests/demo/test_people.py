from __future__ import annotations

import numpy as np

from recsys.accounts.regions import COUNTRIES
from recsys.accounts.usernames import username_fault
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.names import REGIONS
from recsys.demo.people import generate_people


def test_the_first_ones_are_those_who_can_be_logged_in_as(people):
    assert people.usernames[: len(DEMO_LOGINS)] == [login.username for login in DEMO_LOGINS]


def test_usernames_are_distinct_and_as_sign_up_would_have_them(people):
    assert len(set(people.usernames)) == len(people)
    assert [name for name in people.usernames[len(DEMO_LOGINS) :] if username_fault(name)] == []


def test_other_peoples_usernames_are_left_to_them(people):
    again = generate_people(np.random.default_rng(1), np.arange(500), people.usernames[4:])
    assert not set(again.usernames[4:]) & set(people.usernames[4:])


def test_people_come_from_many_regions_and_have_varied_names(people):
    assert set(REGIONS) <= set(COUNTRIES)
    assert len(np.unique(people.region)) == len(REGIONS)
    assert len(set(people.display_names)) > 0.8 * len(people)
    assert any(not name.isascii() for name in people.display_names)
    assert max(map(len, people.display_names)) <= 80
    assert max(map(len, people.bios)) <= 280


def test_fame_is_heavy_tailed(people):
    ranked = np.sort(people.fame)[::-1]
    assert ranked[:25].sum() > 0.25 * ranked.sum()


def test_the_same_seed_gives_the_same_people(people):
    again = generate_people(np.random.default_rng(1), np.arange(100, 600))
    assert (again.usernames, again.bios) == (people.usernames, people.bios)
    assert np.array_equal(again.tastes, people.tastes)


def test_a_community_may_be_smaller_than_the_logins():
    assert len(generate_people(np.random.default_rng(1), np.arange(2))) == 2
