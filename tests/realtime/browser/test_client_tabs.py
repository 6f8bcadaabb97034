"""Several tabs with one connection: who has it, and what becomes of it when tabs go, however they go."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.realtime.browser.conftest import Tab
from tests.site import wait_for

KEEPING = 3  # times that a page is left: a browser short of time or memory keeps none
EACH = pytest.mark.parametrize("transport", ["websocket", "sse", "poll"])
# A tab whose timers the browser does not let go off.
WITHOUT_TIMERS = "window.setTimeout = () => 0;"
# A tab that hears of others half a second after they have spoken.
SLOW_OF_HEARING = """
    const { set } = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, "onmessage");
    Object.defineProperty(BroadcastChannel.prototype, "onmessage", {
        set(hear) { set.call(this, (event) => setTimeout(hear, 500, event)); },
    });
"""
WITHOUT_LOCKS = "delete Navigator.prototype.locks;"


def share(tab: Tab, *kinds: str, **options: object) -> Tab:
    tab.start(*kinds, share="user-42", **options)
    return tab


def crash(tab: Tab) -> None:
    """End the tab's process, which has no time to say anything."""
    with suppress(Exception):
        tab.page.goto("chrome://crash", timeout=5_000)


@pytest.fixture
def two(open_tab, server) -> tuple[Tab, Tab]:
    """The tab that leads, and one that follows it."""
    first = share(open_tab(), "news", "mine")
    first.is_in("live")
    second = share(open_tab(), "news", "talk")
    second.is_in("live")
    return first, second


@EACH
def test_tabs_have_one_connection(open_tab, server, transport):
    tabs = [share(open_tab(), "news", f"talk{number}", transports=[transport]) for number in range(3)]
    for tab in tabs:
        tab.is_in("live")
        assert tab.transport == transport
    wait_for(lambda: server.followed() == {"news": 3, "talk0": 1, "talk1": 1, "talk2": 1})
    assert len(server.connections) == 1
    server.publish("news", 1, 2)
    server.publish("talk1", 3)
    for number, tab in enumerate(tabs):
        tab.has_seen("news", [1, 2])
        assert tab.position("news") == "news@2"
        tab.has_seen(f"talk{number}", [3] if number == 1 else [])
    tabs[2].run("subscriptions.news.unsubscribe()")
    wait_for(lambda: server.followed()["news"] == 2)


def test_other_names_share_nothing(open_tab, server):
    share(open_tab(), "news").is_in("live")
    other = open_tab()
    other.start("news", share="user-43")
    other.is_in("live")
    assert len(server.connections) == 2


def test_state_errors_and_losses_are_those_of_all(two, server):
    server.drop()
    for tab in two:
        tab.has_been("reconnecting")
    server.publish("news", 1)
    for tab in two:
        tab.has_seen("news", [1])
        tab.is_in("live")
    server.say_goodbye(code=4401)
    for tab in two:
        tab.is_in("closed")
        assert tab.seen("errors") == [4401]


def test_an_end_is_heard_where_the_lock_of_who_led_comes_before_its_words(open_tab, server):
    leader = share(open_tab(), "news")
    leader.is_in("live")
    follower = share(open_tab(script=SLOW_OF_HEARING), "news")
    follower.is_in("live")
    server.say_goodbye(code=4401)
    for tab in (leader, follower):
        tab.is_in("closed")
        assert tab.seen("errors") == [4401]
    wait_for(lambda: not server.connections)


def test_a_tab_that_comes_after_the_end_begins_anew(two, server, open_tab):
    """Logged in again, say: those from before do not hold it up."""
    server.say_goodbye(code=4401)
    for tab in two:
        tab.is_in("closed")
    third = share(open_tab(), "news")
    third.is_in("live")
    assert len(server.connections) == 1


def test_signals_go_through_the_one_that_leads(two, server):
    typing = {"kind": "conversation", "arg": "42", "name": "typing"}
    two[1].run("(signal) => live.signal(signal)", typing)
    wait_for(lambda: server.signals == [typing])


def goes_on(tab: Tab, server, seen: list[int]) -> None:
    """The tab has a connection of its own account, and each event came once."""
    server.publish("news", "last")
    tab.has_seen("news", [*seen, "last"])
    tab.is_in("live")
    wait_for(lambda: len(server.connections) == 1)


@pytest.mark.parametrize("how", ["close", "crash", "leave", "end"])
def test_when_the_leader_goes_the_next_goes_on(two, server, how):
    first, second = two
    for number in range(10):
        server.publish("news", number)
    if how == "close":
        first.page.close()
    elif how == "crash":
        crash(first)
    elif how == "leave":
        first.page.goto(first.page.url.replace("/page", "/elsewhere"))
    else:
        first.run("live.close()")
    for number in range(10, 20):
        server.publish("news", number)
    second.has_seen("news", list(range(20)))
    goes_on(second, server, list(range(20)))
    wait_for(lambda: server.followed() == {"news": 1, "talk": 1})


@pytest.mark.parametrize("how", ["close", "crash", "leave", "end"])
def test_when_a_follower_goes_its_subscriptions_do(two, server, how):
    first, second = two
    assert server.followed() == {"news": 2, "mine": 1, "talk": 1}
    if how == "close":
        second.page.close()
    elif how == "crash":
        crash(second)
    elif how == "leave":
        second.page.goto(second.page.url.replace("/page", "/elsewhere"))
    else:
        second.run("live.close()")
    wait_for(lambda: server.followed() == {"news": 1, "mine": 1})
    goes_on(first, server, [])


def is_brought_back(tab: Tab, server, meanwhile: object) -> bool:
    """Leave the page, publish `meanwhile`, and go back; whether the browser had kept the page, as it may."""
    followed = server.followed()["news"]
    tab.run("window.kept = true")
    tab.page.goto(tab.page.url.replace("/page", "/elsewhere"))
    wait_for(lambda: server.followed()["news"] == followed - 1)
    server.publish("news", meanwhile)
    tab.page.go_back(wait_until="commit")
    tab.until("window.ready")
    return bool(tab.run("window.kept"))


@pytest.mark.parametrize("number", [0, 1])
def test_a_page_that_the_back_button_brings_back_catches_up(open_tab, server, number):
    for attempt in range(KEEPING):
        tabs = [share(open_tab(), "news") for _ in range(2)]
        gone, stays = tabs[number], tabs[1 - number]
        for tab in tabs:
            tab.until("subscriptions.news.position")
        server.publish("news", f"{attempt} before")
        for tab in tabs:
            tab.has_seen("news", [f"{attempt} before"])
        seen = [f"{attempt} before", f"{attempt} meanwhile"]
        kept = is_brought_back(gone, server, seen[1])
        stays.has_seen("news", seen)
        if kept:
            gone.has_seen("news", seen)
            server.publish("news", "after")
            for tab in tabs:
                tab.has_seen("news", [*seen, "after"])
            assert len(server.connections) == 1
            return
        for tab in tabs:
            tab.page.close()
    pytest.fail("The browser never kept the page that was left: something of ours keeps it from that.")


def test_a_page_of_its_own_is_brought_back_too(open_tab, server):
    for attempt in range(KEEPING):
        tab = open_tab()
        tab.start("news")
        tab.until("subscriptions.news.position")
        if is_brought_back(tab, server, attempt):
            tab.has_seen("news", [attempt])
            tab.is_in("live")
            return
        tab.page.close()
    pytest.fail("The browser never kept the page that was left: something of ours keeps it from that.")


def test_one_after_the_other_leads(open_tab, server):
    tabs = [share(open_tab(), "news") for _ in range(4)]
    for tab in tabs:  # who has no position yet begins with what comes after it
        tab.until("subscriptions.news.position")
    expected = []
    for number, tab in enumerate(tabs[:-1]):
        tab.is_in("live")
        server.publish("news", number)
        expected.append(number)
        tab.page.close()
    tabs[-1].has_seen("news", expected)
    goes_on(tabs[-1], server, expected)


def test_a_tab_that_does_not_fit_has_a_connection_of_its_own(open_tab, server):
    server.limit = 3
    first = share(open_tab(), "news", "mine")
    first.is_in("live")
    second = share(open_tab(), "news", "talk")
    second.is_in("live")
    wait_for(lambda: sorted(len(one.streams) for one in server.connections) == [2, 2])
    server.publish("news", 1)
    for tab in (first, second):
        tab.has_seen("news", [1])
        assert tab.seen("refused") == []
    second.run("follow('more'); follow('most')")
    second.until("seen.refused.length")
    assert second.seen("refused") == [["most", "limit"]]


def test_without_locks_each_has_a_connection_of_its_own(open_tab, server):
    for _ in range(2):
        share(open_tab(script=WITHOUT_LOCKS), "news").is_in("live")
    assert server.followed() == {"news": 2}
    assert len(server.connections) == 2


def test_a_tab_that_is_seen_lends_its_timers(open_tab, server):
    first = share(open_tab(script=WITHOUT_TIMERS), "news")
    second = share(open_tab(), "news")
    second.is_in("live")
    server.drop()
    server.publish("news", 1)
    for tab in (first, second):
        tab.has_seen("news", [1])


def test_a_leader_that_hangs_is_replaced_and_takes_no_harm(two, server):
    first, second = two
    first.run("() => { setTimeout(() => { const end = Date.now() + 15000; while (Date.now() < end); }, 0); }")
    server.publish("news", 1)
    second.has_seen("news", [1], timeout=14)
    server.publish("news", 2)
    second.has_seen("news", [1, 2])
    first.has_seen("news", [1, 2], timeout=30)
    wait_for(lambda: len(server.connections) == 1)
    server.publish("news", 3)
    for tab in (first, second):
        tab.has_seen("news", [1, 2, 3])
        tab.is_in("live")
