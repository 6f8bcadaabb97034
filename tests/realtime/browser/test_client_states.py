"""How the client loses a connection and comes back: when, how often, as whom, and what it says of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.site import wait_for

EACH = pytest.mark.parametrize("transport", ["websocket", "sse", "poll"])
HALFWAY = "Math.random = () => 0.5;"
AS_LATE_AS_MAY_BE = "window.losses = 0; Math.random = () => ((losses += 1), 0.999);"
DRAWN = """
    window.drawn = [];
    const random = Math.random;
    Math.random = () => (drawn.push(random()), drawn.at(-1));
"""
LATE = 1.5  # seconds that a busy machine may take for what is due
# As a tab in the background, until `comeIntoSight`.
IN_THE_BACKGROUND = """
    let visibility = "hidden";
    Object.defineProperty(document, "visibilityState", { get: () => visibility });
    window.comeIntoSight = () => {
        visibility = "visible";
        document.dispatchEvent(new Event("visibilitychange"));
    };
"""
# Gives the token "first", and then "second", at every later call.
GIVE_TOKENS = """
    window.given = 0;
    window.startWithTokens = (kind, options) =>
        start({ ...options, token: async () => ((given += 1) === 1 ? "first" : "second") }, kind);
"""


def gaps(server) -> list[float]:
    times = [time for time, _ in server.attempts]
    return [after - before for before, after in pairwise(times)]


# States


def test_a_loss_is_told_and_its_end(open_tab, server):
    tab = open_tab(script=HALFWAY)
    tab.start("news")
    tab.is_in("live")
    server.drop()
    tab.has_been("reconnecting")
    tab.is_in("live")
    assert tab.seen("states") == ["connecting", "live", "reconnecting", "live"]


def test_a_connection_that_lacks_a_subscription_is_not_live(open_tab, server):
    tab = open_tab()
    server.silent.add("websocket")
    tab.start("news")
    wait_for(lambda: server.connections)
    assert tab.seen("states") == ["connecting"]


@EACH
def test_who_is_away_for_half_a_minute_shows_what_is_out_of_date(open_tab, server, transport):
    tab = open_tab(clock=True)
    tab.start("news", transports=[transport])
    tab.is_in("live")
    server.blocked.add(transport)
    server.drop()
    tab.has_been("reconnecting")
    tab.pass_time(31)
    tab.is_in("stale")
    server.blocked.clear()
    tab.pass_time(31)
    tab.is_in("live")
    assert tab.seen("states") == ["connecting", "live", "reconnecting", "stale", "live"]


def test_who_never_connects_is_out_of_date_too(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab(clock=True)
    tab.start("news", transports=["websocket"])
    wait_for(lambda: server.attempts)
    tab.pass_time(31)
    tab.is_in("stale")


@EACH
def test_offline_is_stale_and_online_is_at_once(open_tab, server, context, transport):
    tab = open_tab(script=AS_LATE_AS_MAY_BE)
    tab.start("news", transports=[transport])
    tab.is_in("live")
    context.set_offline(True)
    tab.is_in("stale")
    server.drop()
    server.publish("news", 1)
    wait_for(lambda: not server.connections)
    tab.until("losses >= 4")  # the next attempt by itself is four seconds away
    context.set_offline(False)
    tab.is_in("live", timeout=3)
    tab.has_seen("news", [1])
    assert "stale" in tab.seen("states")


# When it comes back


def test_it_comes_back_ever_later_while_nothing_stands(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab(script=HALFWAY)
    tab.start("news", transports=["websocket"])
    wait_for(lambda: len(server.attempts) == 5)
    for gap, expected in zip(gaps(server), (0.25, 0.5, 1, 2), strict=True):
        assert expected <= gap < expected + LATE


def test_the_wait_is_anything_between_nothing_and_a_bound(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab(script=DRAWN)
    tab.start("news", transports=["websocket"])
    wait_for(lambda: len(server.attempts) == 5)
    drawn = tab.run("drawn")
    for gap, share, bound in zip(gaps(server), drawn, (0.5, 1, 2, 4), strict=False):
        assert share * bound - 0.01 <= gap < share * bound + LATE


def test_the_longest_wait_is_half_a_minute(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab(clock=True, script=AS_LATE_AS_MAY_BE)
    tab.start("news", transports=["websocket"])
    losses = 0
    while losses < 9:
        tab.until(f"losses > {losses}")
        losses = tab.run("losses")
        tab.pass_time(31)
    tab.until(f"losses > {losses}")
    attempts = len(server.attempts)
    tab.pass_time(25)
    assert len(server.attempts) == attempts
    tab.pass_time(5)
    wait_for(lambda: len(server.attempts) > attempts)


@EACH
def test_to_be_let_in_and_sent_away_is_no_success(open_tab, server, transport):
    tab = open_tab(script=HALFWAY)
    tab.start("news", transports=[transport])
    for attempt in range(1, 5):
        tab.is_in("live")
        wait_for(lambda attempt=attempt: len(server.attempts) >= attempt and server.connections)
        server.drop()
        tab.has_been("reconnecting", attempt)
    tab.is_in("live")
    if transport != "poll":
        for gap, expected in zip(gaps(server), (0.25, 0.5, 1, 2), strict=True):
            assert gap >= expected


def test_a_subscription_that_stood_for_a_while_makes_the_next_loss_a_first_one(open_tab, server):
    tab = open_tab(clock=True, script=HALFWAY)
    tab.start("news", transports=["websocket"])
    for times in range(1, 5):
        tab.is_in("live")
        server.drop()
        tab.has_been("reconnecting", times)
    tab.is_in("live")
    tab.pass_time(6)
    server.drop()
    tab.has_been("reconnecting", 5)
    tab.is_in("live")
    assert gaps(server)[-2] >= 2
    assert gaps(server)[-1] < 0.25 + LATE


@EACH
def test_the_server_says_when_to_come_back(open_tab, server, transport):
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("live")
    wait_for(lambda: server.connections)
    attempts = len(server.attempts)
    server.say_goodbye(code=1012, retry_in=2000)
    tab.has_been("reconnecting")
    tab.run("window.dispatchEvent(new Event('online')); document.dispatchEvent(new Event('visibilitychange'))")
    wait_for(lambda: len(server.attempts) > attempts)
    assert 2.0 <= gaps(server)[attempts - 1] < 2 + LATE
    tab.is_in("live")


@pytest.mark.parametrize("transport", ["websocket", "poll"])
def test_a_refusal_says_when_to_come_back(open_tab, server, transport):
    server.refuse_with = {"code": 1013, "retry_in": 2000}
    tab = open_tab()
    tab.start("news", transports=[transport])
    wait_for(lambda: server.attempts)
    server.refuse_with = None
    tab.is_in("live")
    assert 2.0 <= gaps(server)[0] < 2 + LATE


def test_a_refused_stream_is_asked_why(open_tab, server):
    """An EventSource does not tell its status or headers."""
    server.refuse_with = {"code": 1013, "retry_in": 3000}
    tab = open_tab()
    tab.start("news", transports=["sse"])
    wait_for(lambda: len(server.attempts) == 2)
    server.refuse_with = None
    tab.is_in("live")
    assert gaps(server)[0] < LATE
    assert 3.0 <= gaps(server)[1] < 3 + LATE


def test_coming_into_sight_tries_at_once(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab(script=IN_THE_BACKGROUND + AS_LATE_AS_MAY_BE)
    tab.start("news", transports=["websocket"])
    tab.until("losses >= 4")  # the next attempt by itself is four seconds away
    server.blocked.clear()
    tab.run("comeIntoSight()")
    tab.is_in("live", timeout=3)


# Silence


def test_a_socket_that_is_silent_is_asked_and_given_up(open_tab, server):
    tab = open_tab(clock=True)
    with tab.page.expect_websocket() as opened:
        tab.start("news", transports=["websocket"])
    tab.is_in("live")
    with opened.value.expect_event("framereceived", lambda frame: "pong" in frame):
        tab.pass_time(26)
    assert server.heard == [{"type": "ping"}]
    tab.pass_time(11)
    assert tab.seen("states") == ["connecting", "live"]  # it has answered
    server.silent.add("websocket")
    tab.pass_time(26)
    tab.pass_time(11)
    tab.has_been("reconnecting")
    server.silent.clear()
    tab.is_in("live")


def test_a_stream_that_is_silent_is_given_up(open_tab, server):
    tab = open_tab(clock=True)
    tab.start("news", transports=["sse"])
    tab.is_in("live")
    tab.pass_time(40)
    assert tab.seen("states") == ["connecting", "live"]
    tab.pass_time(6)
    tab.has_been("reconnecting")
    tab.is_in("live")


def test_a_poll_that_is_not_answered_is_given_up(open_tab, server):
    tab = open_tab(clock=True)
    tab.start("news", transports=["poll"])
    wait_for(lambda: len(server.attempts) == 2)
    server.silent.add("poll")
    tab.pass_time(24)
    tab.run("new Promise(requestAnimationFrame)")
    assert tab.seen("states") == ["connecting", "live"]
    tab.pass_time(12)
    tab.has_been("reconnecting")


@pytest.mark.parametrize("event", ["comeIntoSight()", "window.dispatchEvent(new Event('online'))"])
def test_coming_into_sight_or_online_looks_whether_the_connection_lives(open_tab, server, event):
    tab = open_tab(script=IN_THE_BACKGROUND)
    tab.start("news", transports=["websocket"])
    tab.is_in("live")
    tab.run(event)
    wait_for(lambda: server.heard == [{"type": "ping"}])


# For good, and as whom


@pytest.mark.parametrize("code", [1009, 4400, 4401, 4403, 4404])
def test_some_ends_are_for_good(open_tab, server, code):
    tab = open_tab(clock=True)
    tab.start("news")
    tab.is_in("live")
    server.say_goodbye(code=code)
    tab.is_in("closed")
    tab.pass_time(600)
    assert len(server.attempts) == 1
    assert tab.seen("errors") == [code]


@EACH
def test_a_goodbye_without_a_time_is_for_good(open_tab, server, transport):
    tab = open_tab(clock=True)
    tab.start("news", transports=[transport])
    tab.is_in("live")
    server.say_goodbye(code=1013)
    tab.is_in("closed")


@EACH
def test_who_is_not_logged_in_is_told_so(open_tab, server, transport):
    server.tokens = set()
    tab = open_tab()
    tab.start("news", transports=[transport])
    tab.is_in("closed")
    assert tab.seen("errors") == [4401]


@EACH
def test_an_outdated_token_is_asked_for_again(open_tab, server, transport):
    server.tokens = {"second"}
    tab = open_tab(script=GIVE_TOKENS)
    tab.run("(transport) => startWithTokens('news', { transports: [transport] })", transport)
    tab.is_in("live")
    assert tab.run("given") >= 2
    server.publish("news", 1)
    tab.has_seen("news", [1])
    server.tokens = {"first"}
    server.say_goodbye(code=4401)
    tab.has_been("reconnecting")
    server.tokens = {"second"}
    tab.is_in("live")
    assert tab.seen("errors") == []


def test_a_token_is_renewed_in_band_before_it_ends(open_tab, server):
    server.tokens, server.expires_in = {"first", "second"}, 90
    tab = open_tab(clock=True, script=GIVE_TOKENS)
    tab.run("startWithTokens('news')")
    tab.is_in("live")
    tab.pass_time(61)
    wait_for(lambda: [one["token"] for one in server.heard if one["type"] == "authenticate"] == ["first", "second"])
    assert len(server.attempts) == 1
    assert tab.seen("states") == ["connecting", "live"]


def test_without_a_token_it_asks_again(open_tab, server):
    server.tokens = {"good"}
    tab = open_tab()
    tab.run("""() => {
        const answers = [() => Promise.reject(new Error("The partner is away.")), () => "", () => "good"];
        start({ token: async () => answers.shift()() }, "news");
    }""")
    tab.is_in("live")
    assert tab.seen("errors") == ["token", "token"]
    assert len(server.attempts) == 1
