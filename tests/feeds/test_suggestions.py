"""Whom one might follow: in what order, for which reason, and who must never be among them."""

from __future__ import annotations

import pytest

from feeds import suggestions
from feeds.actions import do_create_post
from feeds.graph import do_block, do_follow, do_mute
from feeds.suggestions import suggested_people
from recsys.accounts.models import User
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def ben(ana) -> User:
    """Whom Ana follows."""
    ben = User.objects.create_user("ben", display_name="Ben")
    do_follow(follower=ana, followee=ben)
    return ben


@pytest.fixture
def zoe() -> User:
    """The one who is suggested, or not."""
    return User.objects.create_user("zoe")


def reasons(reader: User | None, **options) -> dict[str, str]:
    return {entry.person.username: entry.reason for entry in suggested_people(reader=reader, **options)}


def switch_off(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def make_private(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_private=True)


class TestReasons:
    def test_a_friend_is_named(self, ana, ben, zoe):
        do_follow(follower=ben, followee=zoe)
        assert reasons(ana) == {"zoe": "Followed by Ben"}

    @pytest.mark.parametrize(("others", "said"), [(1, "and 1 other you follow"), (2, "and 2 others you follow")])
    def test_others_are_counted(self, ana, ben, zoe, others, said):
        friends = make_people(others, "friend")
        let_follow([ana], friends)
        let_follow([ben, *friends], [zoe])
        assert reasons(ana) == {"zoe": f"Followed by Ben {said}"}

    def test_who_follows_the_reader_says_so(self, ana, zoe):
        do_follow(follower=zoe, followee=ana)
        (entry,) = suggested_people(reader=ana)
        assert entry.reason == "Follows you"
        assert entry.relation.followed_by

    def test_else_they_wrote_lately(self, ana, zoe):
        do_create_post(author=zoe, text="Hello")
        assert reasons(ana) == reasons(None) == {"zoe": "Wrote lately"}

    def test_the_nearest_come_first_then_the_most_followed(self, ana, ben, zoe):
        back, writer, star, fan = make_people(4)
        friends = make_people(2, "friend")
        let_follow([ana], friends)
        let_follow([ben, *friends], [zoe])
        do_follow(follower=back, followee=ana)
        do_follow(follower=fan, followee=star)
        for author in (star, writer, back, zoe):
            do_create_post(author=author, text="Hello")
        assert list(reasons(ana)) == ["zoe", back.username, star.username, writer.username]
        assert list(reasons(ana, limit=2)) == ["zoe", back.username]


class TestNobodyUnwanted:
    @pytest.fixture(params=["friend", "follows", "wrote"])
    def known(self, request, ana, ben, zoe) -> User:
        """Zoe, for each of the reasons."""
        if request.param == "friend":
            do_follow(follower=ben, followee=zoe)
        elif request.param == "follows":
            do_follow(follower=zoe, followee=ana)
        else:
            do_create_post(author=zoe, text="Hello")
        assert list(reasons(ana)) == ["zoe"]
        return zoe

    @pytest.mark.parametrize("unwanted", ["followed", "requested", "muted", "blocked", "blocks", "switched off"])
    def test_is_suggested(self, ana, known, unwanted):
        if unwanted == "requested":
            make_private(known)
        if unwanted in ("followed", "requested"):
            do_follow(follower=ana, followee=known)
        elif unwanted == "muted":
            do_mute(muter=ana, muted=known)
        elif unwanted == "blocked":
            do_block(blocker=ana, blocked=known)
        elif unwanted == "blocks":
            do_block(blocker=known, blocked=ana)
        else:
            switch_off(known)
        assert reasons(ana) == {}

    def test_a_private_account_needs_somebody_who_links_it(self, ana, ben, zoe):
        make_private(zoe)
        do_create_post(author=zoe, text="Hello")
        assert reasons(ana) == reasons(None) == {}
        let_follow([ben], [zoe])
        assert reasons(ana) == {"zoe": "Followed by Ben"}

    def test_what_only_some_may_see_makes_nobody_known(self, ana, zoe):
        post = do_create_post(author=zoe, text="Hello")
        type(post).objects.update(visibility="followers")
        assert reasons(ana) == {}

    def test_oneself_is_not_suggested(self, ana, ben):
        do_follow(follower=ben, followee=ana)
        do_create_post(author=ana, text="Hello")
        assert reasons(ana) == {}

    @pytest.mark.parametrize("hide", [switch_off, "mute"])
    def test_friends_who_are_muted_or_gone_vouch_for_nobody(self, ana, ben, zoe, hide):
        do_follow(follower=ben, followee=zoe)
        do_mute(muter=ana, muted=ben) if hide == "mute" else hide(ben)
        assert reasons(ana) == {}


def test_takes_two_queries_however_many_there_are(ana, ben, django_assert_num_queries):
    crowd = make_people(9, "crowd")
    let_follow([ben], crowd)
    with django_assert_num_queries(2):
        assert len(suggested_people(reader=ana, limit=8)) == 8


def test_asks_no_more_friends_and_follows_than_its_bounds(ana, monkeypatch):
    friends, strangers = make_people(3, "friend"), make_people(3, "stranger")
    let_follow([ana], friends)
    let_follow(friends, strangers)
    monkeypatch.setattr(suggestions, "FRIENDS", 2)
    assert set(reasons(ana).values()) == {"Followed by friend1 and 1 other you follow"}, "the latest two"
    monkeypatch.setattr(suggestions, "FOLLOWS_OF_FRIEND", 1)
    assert len(reasons(ana)) == 1
