"""What the client does where something on the way lets a transport not through, and when it tries again."""

from __future__ import annotations

import pytest

from tests.site import wait_for

AT_ONCE = "Math.random = () => 0;"


def came(server) -> list[str]:
    return [name for _, name in server.attempts]


def test_blocked_sockets_give_way_to_a_stream(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab()
    tab.start("news")
    tab.is_in("live")
    assert tab.transport == "sse"
    assert came(server) == ["websocket", "websocket", "sse"]
    server.publish("news", 1)
    tab.has_seen("news", [1])
    server.drop()
    server.publish("news", 2)
    tab.has_seen("news", [1, 2])
    assert came(server)[3:] == ["sse"]  # it is known what works


def test_blocked_streams_give_way_to_polls(open_tab, server):
    server.blocked |= {"websocket", "sse"}
    tab = open_tab()
    tab.start("news")
    tab.is_in("live")
    assert tab.transport == "poll"
    assert tab.seen("errors") == []  # a proxy's refusal is not the server's
    server.publish("news", 1)
    tab.has_seen("news", [1])


@pytest.mark.parametrize(("silent", "then"), [("websocket", "sse"), ("sse", "poll"), ("poll", "websocket")])
def test_what_opens_and_carries_nothing_has_failed(open_tab, server, silent, then):
    server.silent.add(silent)
    tab = open_tab(clock=True, script=AT_ONCE)
    tab.start("news", transports=[silent, then])
    for attempt in (1, 2):
        wait_for(lambda attempt=attempt: came(server).count(silent) == attempt)
        tab.run("new Promise(requestAnimationFrame)")
        tab.pass_time(11)
    tab.is_in("live")
    assert tab.transport == then


def test_what_has_worked_is_not_given_up_for_a_server_that_is_away(open_tab, server):
    tab = open_tab(clock=True)
    tab.start("news")
    tab.is_in("live")
    server.blocked |= {"websocket", "sse", "poll"}
    server.drop()
    for attempt in range(2, 7):
        # How long the browser takes to notice is its own affair: the clock jumps until the page has waited long enough.
        wait_for(lambda attempt=attempt: tab.pass_time(31) or len(server.attempts) >= attempt)
    assert set(came(server)) == {"websocket"}


def test_all_are_tried_in_turn_until_one_comes_through(open_tab, server):
    server.blocked |= {"websocket", "sse", "poll"}
    tab = open_tab(script=AT_ONCE)
    tab.start("news")
    wait_for(lambda: len(set(came(server))) == 3 and came(server)[-1] == "websocket")
    server.blocked.remove("sse")
    tab.is_in("live")
    assert tab.transport == "sse"


def test_a_socket_is_tried_again_beside_what_works(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab(clock=True)
    tab.start("news", "talk")
    tab.is_in("live")

    def five_minutes(talk):
        for number in range(8):  # in which the stream is not silent
            server.publish("talk", number)
            tab.has_seen("talk", talk + list(range(number + 1)))
            tab.pass_time(40)
        return talk + list(range(8))

    talk = five_minutes([])
    wait_for(lambda: came(server)[3:] == ["websocket"])
    assert tab.transport == "sse"
    server.blocked.clear()
    five_minutes(talk)
    tab.until("live.transport === 'websocket'")
    wait_for(lambda: server.followed() == {"news": 1, "talk": 1})
    server.publish("news", 1)
    tab.has_seen("news", [1])
    assert len(server.connections) == 1
    assert tab.seen("states") == ["connecting", "live"]


def test_a_socket_is_tried_again_in_another_network(open_tab, server):
    server.blocked.add("websocket")
    tab = open_tab()
    tab.start("news")
    tab.is_in("live")
    server.blocked.clear()
    tab.run("window.dispatchEvent(new Event('online'))")
    tab.until("live.transport === 'websocket'")
    server.publish("news", 1)
    tab.has_seen("news", [1])


def test_what_worked_in_one_network_need_not_in_another(open_tab, server):
    tab = open_tab(script=AT_ONCE)
    tab.start("news")
    tab.is_in("live")
    server.blocked.add("websocket")
    tab.run("window.dispatchEvent(new Event('online'))")
    server.drop()
    tab.until("live.transport === 'sse'")


@pytest.mark.parametrize("transport", ["sse", "poll"])
def test_a_refusal_of_the_server_itself_is_for_good(open_tab, server, transport):
    server.refuse_with = {"code": 4403}
    tab = open_tab()
    tab.start("news", transports=[transport, "websocket"])
    tab.is_in("closed")
    assert tab.seen("errors") == [4403]
    assert set(came(server)) == {transport}


def test_pages_of_other_sites_name_the_server(open_tab, server):
    tab = open_tab()
    tab.start("news", url="/realtime")
    tab.is_in("live")
