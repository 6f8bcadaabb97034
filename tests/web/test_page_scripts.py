"""When the scripts of the live part subscribe, load anew and try again, on a page that needs no site.

The client of the connection (`realtime/client.js`) is played, as are the document and what htmx asks for; the scripts
and htmx are the site's own. Behind a real connection nothing could be told at a chosen moment, and nothing made to
fail; that page and site are of one mind is what the flows show. The page's time stands still until a test lets it pass,
and what is spread at random comes in the middle of its span, so a test says to the second when something is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browsers import Chromium, chromium

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Route

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "recsys/static"
(HTMX_CONFIG,) = re.findall(r'<meta name="htmx-config".*>', (ROOT / "templates/base.html").read_text())
SITE = "http://tributary.test"

# What `connect` returns, as far as the page's modules use it: an event reaches the subscriptions of its kind.
CLIENT = """
    window.subscriptions = [];
    window.heard = (kind) => subscriptions.filter((one) => one.kind === kind && one.isHeard);
    export const connect = () => ({
        subscribe(what) {
            const one = { ...what, isHeard: true };
            subscriptions.push(one);
            return { unsubscribe: () => (one.isHeard = false) };
        },
    });
"""
# Keeps when htmx asked for what, and how often that came to an end.
DOCUMENT = """<!doctype html>
    <html lang="en">
    <head><title>Scripts</title><link rel="icon" href="data:,">{config}
    <script src="/static/vendor/htmx/htmx.min.js" defer></script>
    <script type="module">
        {imports}
        window.asked = [];
        window.ended = 0;
        document.addEventListener("htmx:before:request", ({{ detail }}) => {{
            asked.push([detail.ctx.request.action, performance.now() - window.began]);
        }});
        document.addEventListener("htmx:finally:request", () => (ended += 1));
        htmx.config.defaultSettleDelay = 0; // time stands still
        {script}
    </script></head>
    <body {user}>{body}<div id="else" hx-get="/else/" hx-trigger="else">{within}</div></body>
    </html>
"""
LOST = 0  # instead of a status: no answer


class ScriptPage:
    """A page with some of the scripts, and what it is answered: by path, HTML or the status of a failure."""

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.answers: dict[str, Callable[[], str | int]] = {}
        self.errors: list[str] = []
        self._document = ""
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.route(f"{SITE}/**", self._answer)
        self.page.add_init_script("Math.random = () => 0.5")
        self.page.clock.install(time=0)
        self.page.clock.pause_at(1)

    def open(self, body: str, *modules: str, within: str = "", script: str = "", is_reader: bool = True) -> None:
        """Open a page with this body, and something `within` what `swap_else` swaps."""
        imports = "".join(f'import "/static/web/live/{module}.js";' for module in modules)
        user = 'data-user="1"' if is_reader else ""
        self._document = DOCUMENT.format(
            config=HTMX_CONFIG, imports=imports, script=script, user=user, body=body, within=within
        )
        self.page.goto(SITE)
        self.page.clock.run_for(1)  # htmx begins
        self.page.evaluate("window.began = performance.now()")

    def _answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            route.fulfill(body=self._document, content_type="text/html")
        elif path == "/static/realtime/client.js":
            route.fulfill(body=CLIENT, content_type="text/javascript")
        elif path.startswith("/static/"):
            route.fulfill(path=STATIC / path.removeprefix("/static/"))
        elif isinstance(answer := self.answers[path](), str):
            route.fulfill(body=answer, content_type="text/html")
        elif answer == LOST:
            route.abort()
        else:
            route.fulfill(status=answer, body="Not this time.")

    def pass_time(self, seconds: float) -> None:
        """Let time pass; it stands still while something is asked for and not answered."""
        for until in [*range(1000, round(seconds * 1000), 1000), round(seconds * 1000)]:
            self.page.clock.run_for(until % 1000 or 1000)
            self._wait_for_answers()

    def _wait_for_answers(self) -> None:
        if not self.page.evaluate("asked.length === ended"):
            self.page.wait_for_function("asked.length === ended")

    def swap_else(self, content: str) -> None:
        """Let htmx swap something else than what the scripts look after."""
        self.answers["/else/"] = lambda: content
        ended = self.page.evaluate("ended")
        self.page.evaluate("document.querySelector('#else').dispatchEvent(new CustomEvent('else'))")
        self.page.wait_for_function("(before) => ended > before", arg=ended)

    def asked(self, path: str) -> list[float]:
        """The seconds after which this was asked for."""
        moments = self.page.evaluate(
            "(path) => asked.filter(([one]) => one === path).map(([_, moment]) => moment)", path
        )
        return [round(moment) / 1000 for moment in moments]

    def subscribed(self, kind: str) -> list[str]:
        """Of what this kind has ever been subscribed to."""
        return self.page.evaluate(
            "(kind) => subscriptions.filter((one) => one.kind === kind).map((one) => one.arg)", kind
        )

    def heard(self, kind: str) -> list[str]:
        return self.page.evaluate("(kind) => heard(kind).map((one) => one.arg)", kind)

    def tell(self, kind: str, event: dict[str, Any]) -> None:
        self.page.evaluate("([kind, event]) => heard(kind).forEach((one) => one.onEvents([event]))", [kind, event])

    def resync(self, kind: str) -> None:
        self.page.evaluate("(kind) => heard(kind).forEach((one) => one.onResync())", kind)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Chromium) -> Iterator[ScriptPage]:
    context = browser.new_context(reduced_motion="reduce")
    page = ScriptPage(context)
    yield page
    browser.close(context)
    assert not page.errors


class TestElements:
    WATCH = """
        const { watch } = await import("/static/web/live/elements.js");
        const onResync = (element) => (element.textContent = "resync");
        watch("items", { onResync, most: 2 });
        watch("people", { onResync });
    """

    @staticmethod
    def markers(kind: str, args: str) -> str:
        return "".join(f'<p data-live="{kind}" data-arg="{arg}"></p>' for arg in args)

    def open(self, page: ScriptPage, body: str, within: str = "") -> None:
        page.open(body, within=within, script=self.WATCH)
        page.page.wait_for_function("window.subscriptions?.length")

    def test_what_came_first_of_too_many_of_a_kind_is_heard_no_more(self, page):
        self.open(page, self.markers("people", "abc") + self.markers("items", "12"))
        assert page.heard("items") == ["1", "2"]
        page.swap_else(self.markers("items", "34") + self.markers("people", "d"))
        assert page.heard("items") == ["3", "4"]
        assert page.heard("people") == ["a", "b", "c", "d"]

    def test_what_is_heard_no_more_is_not_subscribed_again(self, page):
        self.open(page, self.markers("people", "ab") + self.markers("items", "123"))
        for _ in range(2):
            page.swap_else("Nothing of theirs")
        assert page.heard("items") == ["2", "3"]
        assert page.subscribed("items") == ["1", "2", "3"]
        assert page.subscribed("people") == ["a", "b"]

    def test_ten_of_a_kind_are_heard_if_it_does_not_say_how_many(self, page):
        self.open(page, self.markers("people", "abcdefghijkl"))
        assert page.heard("people") == list("cdefghijkl")

    def test_what_leaves_the_page_is_unsubscribed(self, page):
        self.open(page, self.markers("people", "a"), within=self.markers("items", "1") + self.markers("people", "b"))
        assert page.heard("people") == ["a", "b"]
        page.swap_else(self.markers("items", "2"))
        assert page.heard("items") == ["2"]
        assert page.heard("people") == ["a"]
        assert page.subscribed("people") == ["a", "b"]

    def test_what_left_makes_room(self, page):
        self.open(page, self.markers("items", "1"), within=self.markers("items", "2"))
        page.swap_else(self.markers("items", "3"))
        assert page.heard("items") == ["1", "3"]

    def test_each_is_told_of_its_own_resync(self, page):
        self.open(page, self.markers("items", "12"))
        page.page.evaluate("heard('items')[1].onResync()")
        expect(page.page.locator("[data-live]")).to_have_text(["", "resync"])


MARKER = '<span hidden data-live="recommendations"></span>'


def board(*items: int, attributes: str = "", part: str = "page") -> str:
    rows = "".join(f'<li data-item="{item}"><a class="pick-title">{item}</a></li>' for item in items)
    return f"""
        <section data-live="trending" data-part="{part}" data-arg="GB" {attributes} hx-get="/trending/{part}/"
            hx-trigger="trending:reload" hx-swap="outerHTML" hx-sync="this:replace">
        <ol>{rows}</ol><template><li data-item=""><a class="pick-title"></a></li></template></section>
    """


def ranking(*items: int, made: int = 0) -> dict[str, Any]:
    told = [
        {"id": item, "title": str(item), "url": "/", "kind": "film", "reason": "", "is_made": item == made}
        for item in items
    ]
    return {"type": "trending", "region": "GB", "page": items, "rail": items, "items": told}


class TestTrending:
    # Why the ranking of everybody, in which 9 is, is not the reader's: of the board, what happened, of the event.
    HID = "document.dispatchEvent(new CustomEvent('events:hidden', { detail: { item: 9 } }))"
    RETRACTED = "heard('recommendations')[0].onEvents([{ type: 'recommendations.retracted', items: [9] }])"
    WHY = [
        pytest.param("data-own", "0", 0, id="ranking of their own"),
        pytest.param('data-hidden="8,9"', "0", 0, id="hidden before"),
        pytest.param("", HID, 0, id="hidden since"),
        pytest.param("", RETRACTED, 0, id="retracted"),
        pytest.param("", "0", 9, id="made by somebody"),
    ]

    def open(self, page: ScriptPage, body: str, **options: Any) -> None:
        page.open(body, "recommendations", "trending", **options)

    @staticmethod
    def shows(page: ScriptPage, *items: int) -> None:
        expect(page.page.locator("ol > li")).to_have_text([str(item) for item in items])

    @pytest.mark.parametrize(
        ("attributes", "is_reader"), [("", True), ("data-hidden='8'", True), ("", False), ("data-own", False)]
    )
    def test_who_has_the_ranking_of_everybody_loads_nothing(self, page, attributes, is_reader):
        self.open(page, board(1, 2, attributes=attributes), is_reader=is_reader)
        page.tell("trending", ranking(2, 9, 1))
        self.shows(page, 2, 9, 1)
        page.pass_time(30)
        assert page.asked("/trending/page/") == []

    @pytest.mark.parametrize(("attributes", "happened", "made"), WHY)
    def test_of_changes_that_are_not_for_the_reader_the_last_is_loaded(self, page, attributes, happened, made):
        self.open(page, board(1, 2, attributes=attributes) + MARKER)
        theirs = [0]
        page.answers["/trending/page/"] = lambda: board(*theirs, attributes=attributes)
        page.page.evaluate(happened)

        def change(*items: int) -> None:
            theirs[:] = items
            page.tell("trending", ranking(9, *items, made=made))

        change(2, 1)
        page.pass_time(0.5)
        change(1, 2, 3)
        self.shows(page, 1, 2)  # still what came with the page
        page.pass_time(0.5)
        self.shows(page, 1, 2, 3)
        for items in [(3, 2, 1), (3, 1, 2), (2, 3, 1)]:
            page.pass_time(1)
            change(*items)
        self.shows(page, 1, 2, 3)
        page.pass_time(26)
        self.shows(page, 2, 3, 1)
        assert page.asked("/trending/page/") == [1, 12]
        change(1)
        page.pass_time(20)
        self.shows(page, 1)
        assert page.asked("/trending/page/") == [1, 12, 31]

    def test_what_changes_while_a_ranking_is_on_its_way_is_loaded_after_it(self, page):
        self.open(page, board(1, 2, attributes="data-own"))
        told = iter([(2, 1), (1, 3)])

        def answer() -> str:
            """With the next change before this answer has come."""
            items = next(told)
            if items == (2, 1):
                page.tell("trending", ranking(1, 3))
            return board(*items, attributes="data-own")

        page.answers["/trending/page/"] = answer
        page.tell("trending", ranking(2, 1))
        page.pass_time(1)
        self.shows(page, 2, 1)
        page.pass_time(40)
        self.shows(page, 1, 3)
        assert page.asked("/trending/page/") == [1, 12]

    @pytest.mark.parametrize("failure", [500, LOST])
    def test_a_ranking_of_their_own_that_does_not_come_is_asked_for_again(self, page, failure):
        self.open(page, board(1, 2, attributes="data-own"))
        answers = iter([failure, failure, board(2, 1, attributes="data-own")])
        page.answers["/trending/page/"] = lambda: next(answers)
        page.tell("trending", ranking(2, 1))
        page.pass_time(40)
        self.shows(page, 2, 1)
        assert page.asked("/trending/page/") == [1, 12, 23]

    def test_what_happens_meanwhile_lets_nobody_ask_more_often(self, page):
        self.open(page, board(1, 2, attributes="data-own") + MARKER)
        page.answers["/trending/page/"] = lambda: 500
        for _ in range(5):
            page.tell("trending", ranking(2, 1))
            page.resync("trending")
            page.resync("recommendations")
            page.pass_time(5)
        assert page.asked("/trending/page/") == [1, 12, 23]

    def test_missed_recommendations_without_a_list_load_the_boards(self, page):
        self.open(page, board(1, part="page") + board(1, part="rail") + MARKER)
        for part in ("page", "rail"):
            page.answers[f"/trending/{part}/"] = lambda part=part: board(2, part=part)
        page.resync("recommendations")
        page.pass_time(40)
        self.shows(page, 2, 2)
        assert page.asked("/trending/page/") == page.asked("/trending/rail/") == [1]

    def test_missed_recommendations_of_a_list_load_no_boards(self, page):
        self.open(page, board(1) + picks("old"))
        page.answers["/for-you/"] = lambda: picks("new")
        page.resync("recommendations")
        page.pass_time(40)
        assert page.asked("/for-you/") == [2.5]
        assert page.asked("/trending/page/") == []

    @pytest.mark.parametrize("is_reader", [True, False])
    def test_a_missed_ranking_is_asked_for_until_it_comes(self, page, is_reader):
        self.open(page, board(1, 2), is_reader=is_reader)
        answers = iter([500, LOST, board(2, 1)])
        page.answers["/trending/page/"] = lambda: next(answers)
        page.resync("trending")
        page.pass_time(40)
        self.shows(page, 2, 1)
        assert page.asked("/trending/page/") == [1, 12, 23]


def online(*people: int, faces: tuple[int, ...] = (), most: int = 0) -> str:
    shown = "".join(f'<li data-person="{person}">{person}</li>' for person in faces)
    return f"""
        <section id="online" data-live="presence" data-online="{" ".join(map(str, people))}" data-most="{most}"
            hx-get="/online/" hx-trigger="presence:reload" hx-swap="outerHTML" hx-sync="this:replace">
        <ul>{shown}</ul><p data-online-words></p></section>
    """


class TestPresence:
    IN_THE_BACKGROUND = """
        window.isHidden = true;
        Object.defineProperty(document, "hidden", { get: () => isHidden });
    """
    INTO_SIGHT = "isHidden = false; document.dispatchEvent(new Event('visibilitychange'))"

    @staticmethod
    def counts(page: ScriptPage, people: str, words: str) -> None:
        expect(page.page.locator("#online")).to_have_attribute("data-online", people)
        expect(page.page.locator("[data-online-words]")).to_have_text(words)

    @staticmethod
    def tell(page: ScriptPage, user: int, is_online: bool) -> None:
        page.tell("presence", {"type": "presence", "user": user, "online": is_online})

    def test_who_came_and_went_still_counts_after_a_swap_of_something_else(self, page):
        page.open(online(5, 6), "presence")
        self.tell(page, 7, True)
        self.tell(page, 5, False)
        self.counts(page, "6 7", "2 of those you follow")
        page.swap_else("Something")
        self.counts(page, "6 7", "2 of those you follow")
        self.tell(page, 8, True)
        self.counts(page, "6 7 8", "3 of those you follow")
        page.swap_else("Something again")
        self.tell(page, 6, False)
        self.counts(page, "7 8", "2 of those you follow")

    def test_a_card_that_comes_anew_is_counted_from(self, page):
        page.open(online(5), "presence")
        page.answers["/online/"] = lambda: online(6, 7)
        page.resync("presence")
        page.pass_time(3)
        self.tell(page, 8, True)
        self.counts(page, "6 7 8", "3 of those you follow")

    def test_a_face_that_is_not_on_the_page_is_loaded(self, page):
        page.open(online(5, faces=(5,), most=3), "presence")
        page.answers["/online/"] = lambda: online(5, 6, 7, faces=(5, 6, 7), most=3)
        self.tell(page, 6, True)
        self.counts(page, "5 6", "and 1 more")
        self.tell(page, 7, True)
        page.pass_time(40)
        expect(page.page.locator("[data-person]")).to_have_text(["5", "6", "7"])
        assert page.asked("/online/") == [3]

    def test_a_missed_card_is_asked_for_until_it_comes(self, page):
        page.open(online(5), "presence")
        answers = iter([500, LOST, online(6)])
        page.answers["/online/"] = lambda: next(answers)
        page.resync("presence")
        page.pass_time(100)
        self.counts(page, "6", "")
        assert page.asked("/online/") == [3, 35, 67]

    def test_a_page_that_nobody_looks_at_waits_until_it_is_seen(self, page):
        page.open(online(5), "presence", script=self.IN_THE_BACKGROUND)
        page.answers["/online/"] = lambda: online(6)
        page.resync("presence")
        page.pass_time(50)
        assert page.asked("/online/") == []
        page.page.evaluate(self.INTO_SIGHT)
        page.pass_time(40)
        self.counts(page, "6", "")
        assert page.asked("/online/") == [50]


def picks(position: str, *items: int) -> str:
    shown = "".join(f'<li data-item="{item}">{item}</li>' for item in items)
    return f"""
        <section id="picks" data-live="recommendations" data-part="page" data-position="{position}" hx-get="/for-you/"
            hx-trigger="recommendations:reload" hx-swap="outerHTML" hx-sync="this:replace">
        <button data-news="0" hidden></button><ul>{shown}</ul></section>
    """


class TestRecommendations:
    def test_a_missed_list_is_asked_for_until_it_comes(self, page):
        page.open(picks("old", 1), "recommendations")
        answers = iter([500, LOST, 503, picks("new", 2)])
        page.answers["/for-you/"] = lambda: next(answers)
        page.resync("recommendations")
        page.pass_time(20)
        expect(page.page.locator("#picks")).to_have_attribute("data-position", "old")
        page.pass_time(60)
        expect(page.page.locator("#picks")).to_have_attribute("data-position", "new")
        expect(page.page.locator("#picks li")).to_have_text(["2"])
        assert page.asked("/for-you/") == [2.5, 15, 27.5, 40]
        assert page.page.evaluate("heard('recommendations').map((one) => one.position)") == ["new"]
