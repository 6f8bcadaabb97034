"""The client in a browser: what it follows, resumes and tells, the same over each transport."""

from __future__ import annotations

import pytest

from tests.site import wait_for

EACH = pytest.mark.parametrize("transport", ["websocket", "sse", "poll"])


@EACH
def test_what_is_missed_while_it_is_away_comes_once(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", "talk", transports=[transport])
    tab.is_in("live")
    assert tab.transport == transport
    server.publish("news", 1, 2)
    tab.has_seen("news", [1, 2])
    for number in range(3, 6):
        server.drop()
        server.publish("news", number)
        server.publish("talk", number)
    tab.has_seen("news", [1, 2, 3, 4, 5])
    tab.has_seen("talk", [3, 4, 5])
    tab.is_in("live")
    assert tab.position("news") == "news@5"
    server.publish("news", 6)
    tab.has_seen("news", [1, 2, 3, 4, 5, 6])


@EACH
def test_what_breaks_off_begins_again_at_the_position_before_it(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    wait_for(lambda: len(server.attempts) == (2 if transport == "poll" else 1) and server.followed())
    server.publish("news", 1, 2, 3, 4, parts=2, lost=True)
    tab.has_seen("news", [1, 3, 1, 2, 3, 4])
    assert tab.position("news") == "news@4"


@EACH
def test_what_cannot_be_resumed_is_told_once_and_goes_on(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", "talk", transports=[transport])
    tab.is_in("live")
    server.publish("news", 1)
    tab.has_seen("news", [1])
    server.forgotten.add("news")
    server.drop()
    tab.until("seen.resyncs.length")
    server.publish("news", 2)
    tab.has_seen("news", [1, 2])
    assert tab.seen("resyncs") == ["news"]
    assert tab.position("news") == "news@2"


@EACH
def test_a_refused_subscription_is_told_to_the_page_and_harms_no_other(open_tab, server, transport):
    tab = open_tab()
    tab.start("secret", "news", transports=[transport])
    tab.is_in("live")
    assert tab.seen("refused") == [["secret", "denied"]]
    server.drop()
    server.publish("news", 1)
    tab.has_seen("news", [1])
    assert [one["kind"] for one in server.asked].count("secret") == 1


@EACH
def test_subscriptions_come_and_go(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    tab.run("['a', 'b', 'c'].forEach((arg) => follow('talk', { arg }))")
    wait_for(lambda: server.followed() == {"news": 1, "talka": 1, "talkb": 1, "talkc": 1})
    server.publish("talkb", 1)
    tab.has_seen("talkb", [1])
    tab.run("subscriptions.talkb.unsubscribe(); subscriptions.news.unsubscribe()")
    wait_for(lambda: server.followed() == {"talka": 1, "talkc": 1})
    server.publish("talkb", 2)
    server.publish("talkc", 1)
    tab.has_seen("talkc", [1])
    assert tab.seen("events")["talkb"] == [1]
    assert tab.seen("states") == ["connecting", "live"]
    if transport == "sse":  # opened once for each batch
        assert len(server.attempts) == 3


@EACH
def test_after_the_last_subscription_has_gone_there_may_be_another(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    tab.run("subscriptions.news.unsubscribe()")
    wait_for(lambda: not server.followed())
    tab.run("follow('talk')")
    wait_for(lambda: server.followed() == {"talk": 1})
    server.publish("talk", 1)
    tab.has_seen("talk", [1])


@EACH
def test_a_page_that_fails_is_told_of_what_comes_next(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.run("follow('talk', { failing: true })")
    tab.is_in("live")
    server.publish("talk", 1)
    tab.has_seen("talk", [1])
    server.publish("talk", 2)
    server.publish("news", 1)
    tab.has_seen("talk", [1, 2])
    tab.has_seen("news", [1])
    assert [text.removeprefix("Uncaught ") for text in tab.seen("thrown")] == [
        "Error: cannot take 1",
        "Error: cannot take 2",
    ]
    assert tab.position("talk") == "talk@2"
    assert tab.seen("states") == ["connecting", "live"]


@EACH
def test_signals_are_said_while_there_is_a_connection(open_tab, server, transport):
    tab = open_tab()
    typing = {"kind": "conversation", "arg": "42", "name": "typing"}
    tab.start(transports=[transport])
    tab.run("(signal) => live.signal({ ...signal, name: 'lost' })", typing)
    tab.run("follow('news')")
    tab.is_in("live")
    tab.run("(signal) => live.signal(signal)", typing)
    wait_for(lambda: server.signals)
    assert server.signals == [typing]


def test_the_same_is_dispatched_as_events(open_tab, server):
    tab = open_tab()
    tab.start("secret", "news")
    tab.is_in("live")
    server.publish("news", 1, 2)
    tab.has_seen("news", [1, 2])
    server.forgotten.add("news")
    server.drop()
    tab.until("dispatched.some(([name]) => name === 'resync')")
    tab.run("live.close()")
    told = tab.run(
        """dispatched.map(([name, { state, events, code, subscription }]) =>
            [name, state ?? code ?? events ?? subscription.position, subscription?.kind ?? ""])"""
    )
    assert [one for one in told if one[0] == "state"] == [
        ["state", state, ""] for state in ("connecting", "live", "reconnecting", "live", "closed")
    ]
    assert [one for one in told if one[0] != "state"] == [
        ["error", "denied", "secret"],
        ["events", [1, 2], "news"],
        ["resync", "news@2", "news"],
    ]


@EACH
def test_closed_is_closed(open_tab, server, transport):
    tab = open_tab(clock=True)
    tab.start("news", transports=[transport])
    tab.is_in("live")
    tab.run("live.close()")
    wait_for(lambda: not server.connections)
    assert tab.seen("states") == ["connecting", "live", "closed"]
    assert tab.transport == ""
    attempts = len(server.attempts)
    tab.run("window.dispatchEvent(new Event('online')); window.dispatchEvent(new Event('pageshow'))")
    tab.run("follow('talk')")
    tab.pass_time(600)
    assert len(server.attempts) == attempts


def test_many_subscriptions_are_asked_for_no_faster_than_the_server_takes_them(open_tab, server):
    tab = open_tab()
    tab.start(*(f"news{number}" for number in range(60)))
    tab.is_in("live")
    assert len(server.attempts) == 1
    assert len(server.followed()) == 60


def test_a_stream_whose_address_would_be_too_long_is_polled(open_tab, server):
    tab = open_tab()
    tab.start("news", transports=["sse", "poll"])
    tab.is_in("live")
    assert tab.transport == "sse"
    tab.run("""() => {
        for (let arg = 0; arg < 40; arg += 1) {
            follow("talk", { arg: String(arg), position: `talk${arg}@` + "0".repeat(1000) });
        }
    }""")
    tab.until("live.transport === 'poll'")
    wait_for(lambda: len(server.followed()) == 41)
    server.publish("news", 1)
    tab.has_seen("news", [1])


@pytest.mark.parametrize("what", ["{}", "{ kind: '' }", "{ kind: 'news', arg: 42 }", "{ kind: 'news', arg: 'a\\nb' }"])
def test_a_subscription_that_is_none_is_an_error_at_once(open_tab, server, what):
    tab = open_tab()
    tab.start("news")
    said = tab.run(f"() => {{ try {{ live.subscribe({what}) }} catch (error) {{ return error.name }} }}")
    assert said == "TypeError"
    tab.is_in("live")
    assert len(server.asked) == 1


def test_a_wrong_option_is_an_error_at_once(open_tab):
    tab = open_tab()
    said = tab.run("() => { try { connect({ transports: ['pigeon'] }) } catch (error) { return String(error) } }")
    assert said == "TypeError: Transports are websocket, sse, poll, not pigeon."
