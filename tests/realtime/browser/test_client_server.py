"""The client against the server itself: what is published comes once over each transport, whatever ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from playwright.sync_api import BrowserContext

from realtime import access, signals, streams
from realtime.asgi import application
from realtime.hub import Hub
from tests.realtime.browser.conftest import Tab
from tests.realtime.browser.serving import ThreadedServer

EACH = pytest.mark.parametrize("transport", ["websocket", "sse", "poll"])
EVENTS = "seen.events.news.map((event) => event.number)"


@pytest.fixture
def server(transactional_db: None, names: list[str]) -> Iterator[ThreadedServer]:
    server = ThreadedServer(application)
    server.start()
    yield server
    server.call(Hub.drain)
    server.stop()


@pytest.fixture
def log_in(context: BrowserContext, server: ThreadedServer, session: str) -> Callable[[], None]:
    return lambda: context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}])


@pytest.fixture
def open_tab(context: BrowserContext, server: ThreadedServer, log_in: Callable[[], None]) -> Callable[[], Tab]:
    log_in()
    return lambda: Tab(context.new_page(), server.url + "/page")


def publish(*numbers: int) -> None:
    streams.append([(f"news:{1 + number % 2}", {"type": "test", "number": number}) for number in numbers])


def has_seen(tab: Tab, count: int) -> None:
    """Wait until as many events have come: each once, and those of one stream in their order."""
    tab.until(f"seen.events.news.length >= {count}")
    numbers = tab.run(EVENTS)
    assert sorted(numbers) == list(range(count))
    assert [number for number in numbers if number % 2] == list(range(1, count, 2))


@EACH
def test_what_is_published_comes_once(open_tab, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    assert tab.transport == transport
    for number in range(20):
        publish(number)
    has_seen(tab, 20)
    assert tab.seen("states") == ["connecting", "live"]


@EACH
def test_a_restart_of_the_server_loses_and_doubles_nothing(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    publish(*range(10))
    has_seen(tab, 10)
    server.call(Hub.drain)
    server.stop()
    publish(*range(10, 20))
    tab.has_been("reconnecting")
    server.start()
    tab.is_in("live", timeout=30)
    publish(*range(20, 30))
    has_seen(tab, 30)


@EACH
def test_a_position_from_long_ago_is_answered_by_a_resync(open_tab, transport):
    tab = open_tab()
    tab.start(transports=[transport])
    tab.run("follow('news', { position: 'news:1=1.1~news:2=1.1' })")
    tab.until("seen.resyncs.length")
    publish(0, 1)
    has_seen(tab, 2)


@EACH
def test_a_denied_subscription_is_told(open_tab, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.run("follow('news', { arg: 'secret' })")
    tab.is_in("live")
    tab.until("seen.refused.length")
    assert tab.seen("refused") == [["newssecret", "denied"]]


@EACH
def test_what_a_connection_has_no_room_for_is_refused_alone(open_tab, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.run("for (let number = 1; number <= 60; number += 1) follow('news', { arg: String(number) })")
    tab.is_in("live", timeout=30)
    assert tab.seen("refused") == [["news60", "limit"]]
    publish(0)
    has_seen(tab, 1)


@EACH
def test_who_is_suspended_is_told_and_does_not_come_back(open_tab, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    get_user_model().objects.update(is_active=False)
    tab.is_in("closed", timeout=40)
    assert tab.seen("errors") == [4401]


@EACH
def test_pages_of_other_sites_show_a_token(context, server, client_of, settings, monkeypatch, transport):
    monkeypatch.setattr(access, "_checks", [{"key:1"}.intersection])
    client_of("rea")
    token = access.make_token(user=get_user_model().objects.get().pk, issuer="key:1")
    settings.REALTIME_ORIGINS = [server.url.replace("localhost", "127.0.0.1")]
    tab = Tab(context.new_page(), settings.REALTIME_ORIGINS[0] + "/page")
    tab.run(
        "([url, token, transports]) => start({ url, transports, token: async () => token }, 'news')",
        [server.url + "/realtime/", token, [transport]],
    )
    tab.is_in("live")
    publish(0, 1)
    has_seen(tab, 2)


@EACH
def test_signals_reach_the_readers(open_tab, monkeypatch, transport):
    def rule(user: int | None, argument: str) -> list[tuple[str, dict[str, object]]]:
        return [("news:1", {"type": "typing", "who": user, "number": 0})]

    monkeypatch.setitem(signals._rules, ("news", "typing"), rule)
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    tab.run("live.signal({ kind: 'news', name: 'typing' })")
    has_seen(tab, 1)
    assert tab.seen("events")["news"][0]["type"] == "typing"


def test_many_tabs_and_subscriptions_share_one_connection(open_tab, server):
    tabs = [open_tab() for _ in range(3)]
    for tab in tabs:
        tab.start("news", share="user-1")
        tab.run("for (let number = 0; number < 18; number += 1) follow('news', { arg: String(number) })")
    for tab in tabs:
        tab.is_in("live", timeout=30)
    publish(*range(4))
    for tab in tabs:
        has_seen(tab, 4)
    tabs[0].page.close()
    publish(*range(4, 8))
    for tab in tabs[1:]:
        tab.is_in("live", timeout=30)
        has_seen(tab, 8)
