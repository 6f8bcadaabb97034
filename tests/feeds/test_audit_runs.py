"""Samples, the command, and what staff and monitoring learn."""

from __future__ import annotations

import json
import time
from io import StringIO

import pytest
import redis
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from feeds import audit_runs, timelines
from feeds.actions import do_create_post
from feeds.audit_runs import do_audit_sample, every_reader, figures, last_audit
from feeds.keys import AUDIT
from feeds.models import AuthorStats
from feeds.selectors import home_timeline
from feeds.tasks import audit_timelines
from feeds.timelines import home
from recsys.accounts.models import User
from tests.feeds.graph import let_follow, lose, make_people, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(drain_outbox) -> list[User]:
    people = make_people(4)
    let_follow(people[:3], people[3:])
    for _ in range(3):
        do_create_post(author=people[3], text="hello")
    drain_outbox()
    for reader in people[:3]:
        home_timeline(reader=reader)
    return people


@pytest.fixture
def lost(people) -> int:
    """A post that the first reader's window has lost."""
    post = shown(people[0])[1]
    lose(home(people[0].pk), [post])
    return post


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss")


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class TestSample:
    def test_drift_is_counted_repaired_and_remembered(self, people, lost):
        before = metric("tributary_timeline_drift_total", kind="missing")
        audited = metric("tributary_timeline_audited_windows_total")
        audit_timelines()
        assert metric("tributary_timeline_drift_total", kind="missing") == before + 1
        assert metric("tributary_timeline_audited_windows_total") == audited + 3
        assert time.time() - metric("tributary_timeline_audit_timestamp_seconds") < 60
        assert last_audit()["drift"]["missing"] == 1
        assert lost in shown(people[0])

    def test_the_next_sample_goes_on_where_the_last_one_ended(self, people, monkeypatch):
        monkeypatch.setattr(audit_runs, "SAMPLE", 1)
        monkeypatch.setattr(timelines, "WALKED_PER_CALL", 1)
        more = make_people(40, "more")
        let_follow(more, people[3:])
        for reader in more:
            home_timeline(reader=reader)
        seen = set()
        for _ in range(300):
            do_audit_sample()
            cursor = last_audit()["cursor"]
            seen.add(cursor)
            if not cursor:
                break
        assert len(seen) > 5

    def test_everybody_is_found_when_all_are_asked_for(self, people):
        assert set(every_reader()) == {person.pk for person in people[:3]}


class TestPanel:
    def test_before_the_first_run(self, boss):
        (figure,) = figures(boss)
        assert (figure.value, figure.alarm) == ("none in the last day", False)

    def test_no_drift(self, people, boss):
        do_audit_sample()
        (figure,) = figures(boss)
        assert (figure.value, figure.alarm) == ("no drift in 3 windows, 0 min ago", False)

    def test_drift_is_an_alarm(self, people, lost, boss):
        do_audit_sample()
        (figure,) = figures(boss)
        assert figure.alarm
        assert "missing in 3 windows" in figure.value

    def test_an_auditor_that_stands_still_is_an_alarm(self, boss, valkey):
        valkey.set(AUDIT.key(), json.dumps({"at": time.time() - 7200, "windows": 1, "drift": {}}))
        assert figures(boss)[0].alarm

    def test_who_may_not_see_posts_sees_no_figure(self, people):
        assert figures(people[0]) == []

    def test_without_valkey_it_says_so(self, boss, monkeypatch):
        def away():
            raise redis.ConnectionError

        monkeypatch.setattr(audit_runs, "get_client", away)
        assert figures(boss)[0].alarm


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit_timelines", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as exit_:
        return int(exit_.code or 0), out.getvalue()
    return 0, out.getvalue()


class TestCommand:
    @pytest.mark.parametrize("which", [[], ["--all"], ["--sample", "10"], ["--user", "p0"]])
    def test_it_finds_drift_and_says_so_in_its_status(self, people, lost, which):
        status, said = run(*which)
        assert status == 1
        assert f"missing in timeline:home:{people[0].pk}: {lost}" in said
        assert "Drift was found" in said

    def test_repair_mends_it(self, people, lost):
        assert run("--repair")[0] == 0
        status, said = run()
        assert (status, "No drift" in said) == (0, True)
        assert lost in shown(people[0])

    def test_json_is_one_object(self, people, lost):
        status, said = run("--json", "--pages", "0")
        answer = json.loads(said)
        assert status == 1
        assert answer["drift"] == {"missing": 1}
        assert answer["drifts"] == [{"kind": "missing", "window": home(people[0].pk).name, "posts": [lost]}]
        assert answer["windows"] == 3

    def test_another_user_has_no_drift(self, people, lost):
        status, said = run("--user", "p1")
        assert (status, "No drift" in said) == (0, True)

    def test_wrong_counters_are_drift_where_they_are_asked_for(self, people):
        AuthorStats.objects.update(follower_count=9)
        assert run()[0] == 0
        status, said = run("--counters")
        assert status == 1
        assert "wrong AuthorStats.follower_count" in said
        assert run("--counters", "--repair")[0] == 0
        assert run("--counters")[0] == 0

    @pytest.mark.parametrize("arguments", [["--sample", "0"], ["--pages", "-1"], ["--user", "nobody"]])
    def test_what_cannot_be_done_is_said(self, arguments):
        with pytest.raises(CommandError):
            call_command("audit_timelines", *arguments)

    def test_without_valkey_there_is_nothing_to_compare(self, monkeypatch):
        def away(**_):
            raise redis.ConnectionError("gone")

        monkeypatch.setattr(timelines, "find_readers", away)
        with pytest.raises(CommandError, match="Valkey does not answer"):
            call_command("audit_timelines")
