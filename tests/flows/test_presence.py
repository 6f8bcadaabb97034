"""Who is there and who writes a reply shows on the pages of those who may know, and only while it is so."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from recsys.demo.logins import DEMO_PASSWORD
from tests.flows.test_post_path import follow, is_live, write

GONE = 45_000  # milliseconds: 20 s for which somebody counts as online, and what it takes to notice that they are over
HOUR = 3_600_000
BEN, SAM = "Ben Carter", "Sam Okafor"


def face(page: Page, name: str):
    return page.locator("#online [data-person]", has_text=name)


def open_live(visitor, path: str) -> Page:
    page = visitor.open(path)
    is_live(visitor)
    return page


def choose_presence(visitor, *, shown: bool) -> None:
    page = visitor.open("/accounts/privacy/")
    page.locator("input[name=shows_presence]").set_checked(shown)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main [role=status]")).to_be_visible()


@pytest.fixture
def ana(visit):
    """At her home page, live; she follows Ben."""
    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    follow(ana, "ben")
    open_live(ana, "/")
    ana.page.evaluate("window.notReloaded = true")
    return ana


@pytest.fixture
def ben(visit):
    ben = visit()
    ben.log_in("ben", DEMO_PASSWORD)
    yield ben
    choose_presence(ben, shown=True)


class TestOnline:
    def test_who_comes_and_goes_is_seen_without_a_reload(self, visit, ana):
        """Sam, whom the tests before have left alone: Ben would first have to be gone from them."""
        sam = visit()
        follow(ana, "staff")
        open_live(ana, "/")
        ana.page.evaluate("window.notReloaded = true")
        expect(ana.page.locator("#online")).to_be_visible()
        expect(face(ana.page, SAM)).to_have_count(0, timeout=GONE)
        sam.log_in("staff", DEMO_PASSWORD)
        expect(face(ana.page, SAM)).to_be_visible(timeout=15_000)
        sam.page.close()
        expect(face(ana.page, SAM)).to_have_count(0, timeout=GONE)
        assert ana.page.evaluate("window.notReloaded")

    def test_a_reload_is_no_absence(self, visit, ana, ben):
        open_live(ben, "/")
        expect(face(ana.page, BEN)).to_be_visible(timeout=15_000)
        heard: list[str] = []
        ana.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(frame)))
        open_live(ana, "/")
        number = ana.page.locator("#online [data-person]", has_text=BEN).get_attribute("data-person")
        ben.page.reload()
        is_live(ben)
        again = ben.context.new_page()
        ben.page.close()
        again.goto(ben.site.url)
        ben.page = again
        is_live(ben)
        text = f"Here I am {uuid.uuid4()}"
        write(ben, text)
        expect(ana.page.locator("#new-posts")).to_be_visible()
        assert any('"post.new"' in frame for frame in heard), "what comes is heard here"
        assert not [frame for frame in heard if '"presence"' in frame and f'"user":{number},' in frame]
        expect(face(ana.page, BEN)).to_be_visible()

    def test_who_hides_is_gone_at_once_and_sees_nobody(self, ana, ben):
        open_live(ben, "/")
        expect(face(ana.page, BEN)).to_be_visible(timeout=15_000)
        expect(ben.page.locator("#online")).to_have_count(1)
        choose_presence(ben, shown=False)
        expect(face(ana.page, BEN)).to_have_count(0, timeout=10_000)
        open_live(ben, "/")
        expect(ben.page.locator("#online")).to_have_count(0)
        choose_presence(ben, shown=True)
        expect(face(ana.page, BEN)).to_be_visible(timeout=20_000)
        assert ana.page.evaluate("window.notReloaded")

    def test_a_dot_on_a_page_of_theirs_follows_them(self, ana, ben):
        page = open_live(ana, "/@ben/")
        expect(page.locator("#presence .online-dot")).to_be_visible(timeout=15_000)
        choose_presence(ben, shown=False)
        expect(page.locator("#presence .online-dot")).to_be_hidden(timeout=10_000)
        choose_presence(ben, shown=True)
        expect(page.locator("#presence .online-dot")).to_be_visible(timeout=20_000)


class TestTyping:
    @pytest.fixture
    def post(self, ana) -> str:
        return f"/posts/{write(ana, f'What do you think? {uuid.uuid4()}')}/"

    @staticmethod
    def line(visitor):
        return visitor.page.locator("#typing > [aria-hidden]")

    @staticmethod
    def type(visitor, text: str) -> None:
        visitor.page.locator("#id_text").press_sequentially(text)

    def test_others_see_who_writes_until_they_stop_or_send(self, visit, ana, ben, post):
        sam = visit()
        sam.log_in("staff", DEMO_PASSWORD)
        for visitor in (ana, ben, sam):
            open_live(visitor, post)
        height = ana.page.locator("#typing").bounding_box()["height"]
        self.type(ben, "I think")
        expect(self.line(ana)).to_have_text(f"{BEN} is typing a reply")
        expect(ana.page.locator("#typing [role=status]")).to_have_text(f"{BEN} is typing a reply")
        assert ana.page.locator("#typing").bounding_box()["height"] == height
        self.type(sam, "Well")
        expect(self.line(ana)).to_have_text(re.compile(f"({BEN} and {SAM}|{SAM} and {BEN}) are typing|{SAM} is"))
        expect(self.line(ben)).to_have_text(f"{SAM} is typing a reply")  # and nothing of himself
        expect(self.line(ana)).to_have_text("", timeout=10_000)
        self.type(ben, " that this")
        expect(self.line(ana)).to_have_text(f"{BEN} is typing a reply")
        ben.page.fill("#id_text", "")
        expect(self.line(ana)).to_have_text("", timeout=3_000)

    def test_a_reply_that_is_sent_is_written_no_more(self, ana, ben, post):
        open_live(ana, post)
        open_live(ben, post)
        self.type(ben, "Sent")
        expect(self.line(ana)).to_have_text(f"{BEN} is typing a reply")
        ben.page.click("#composer-send")
        expect(ben.page.locator("#posts .post", has_text="Sent")).to_be_visible()
        expect(self.line(ana)).to_have_text("", timeout=3_000)
        self.type(ben, "Another")  # with the form that came back
        expect(self.line(ana)).to_have_text(f"{BEN} is typing a reply")

    def test_a_reply_for_some_is_nobodys_business(self, ana, ben, post):
        said: list[str] = []
        ben.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: said.append(frame)))
        open_live(ana, post)
        open_live(ben, post)
        ben.page.select_option("#id_visibility", "followers")
        self.type(ben, "Only for you")
        ben.page.evaluate("0")  # what the page has sent is told before its answer
        assert not [frame for frame in said if '"signal"' in frame]
        ben.page.select_option("#id_visibility", "public")
        expect(self.line(ana)).to_have_text(f"{BEN} is typing a reply")
        assert [frame for frame in said if '"signal"' in frame], "such frames are seen here"

    @pytest.mark.parametrize("shift", [-HOUR, HOUR])
    def test_clocks_that_differ_do_no_harm(self, ana, ben, post, shift):
        ana.page.add_init_script(f"const now = Date.now; Date.now = () => now() + {shift};")
        open_live(ana, post)
        open_live(ben, post)
        self.type(ben, "Hm")
        expect(self.line(ana)).to_have_text(f"{BEN} is typing a reply")
        expect(self.line(ana)).to_have_text("", timeout=10_000)

    def test_what_comes_late_is_not_shown(self, visit, ana, ben, post):
        """As after a connection that was lost, whose stream is read from where it ended."""
        sam = visit()
        sam.log_in("staff", DEMO_PASSWORD)

        def delay(route: WebSocketRoute) -> None:
            server = route.connect_to_server()
            server.on_message(lambda message: route.send(older(str(message), BEN, 7000)))

        ana.page.route_web_socket("**/realtime/ws", delay)
        for visitor in (ana, ben, sam):
            open_live(visitor, post)
        self.type(ben, "Late")
        self.type(sam, "In time")
        expect(self.line(ana)).to_have_text(f"{SAM} is typing a reply")


def older(message: str, name: str, by: int) -> str:
    """A message in which what is said of somebody was said some milliseconds earlier."""
    body = json.loads(message)
    for event in body.get("events", ()):
        if event["type"] == "typing" and event["name"] == name:
            event["at"] -= by
    return json.dumps(body)
