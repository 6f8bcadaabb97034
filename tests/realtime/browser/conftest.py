"""A scripted server for each test, one browser for all, and tabs that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browsers import Chromium, chromium
from tests.realtime.browser.scripted import ScriptedServer

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


class Tab:
    """A tab with `page.js`: it is told what to follow, and asked what it has seen."""

    def __init__(self, page: Page, url: str, *, clock: bool = False, script: str = "") -> None:
        self.page = page
        if clock:
            page.clock.install()
        page.add_init_script(script)
        page.goto(url)
        page.wait_for_function("() => window.ready")

    def start(self, *kinds: str, **options: Any) -> None:
        self.page.evaluate("([options, kinds]) => start(options, ...kinds)", [options, kinds])

    def pass_time(self, seconds: float) -> None:
        """Let the page's clock jump; it must have been opened with `clock`."""
        self.page.clock.fast_forward(int(seconds * 1000))

    def is_in(self, state: str, timeout: float = 15) -> None:
        self.page.wait_for_function("(state) => live.state === state", arg=state, timeout=timeout * 1000)

    def has_been(self, state: str, times: int = 1) -> None:
        """Wait until it has been in this state so often; it may be in another by now."""
        self.until(f"seen.states.filter((one) => one === '{state}').length >= {times}")

    def has_seen(self, stream: str, events: list[Any], timeout: float = 15) -> None:
        """Wait until as many events have come, and compare all."""
        self.page.wait_for_function(
            "([stream, count]) => seen.events[stream].length >= count",
            arg=[stream, len(events)],
            timeout=timeout * 1000,
        )
        assert self.seen("events")[stream] == events

    def seen(self, what: str) -> Any:
        return self.page.evaluate("(what) => seen[what]", what)

    def run(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def until(self, condition: str, timeout: float = 15) -> None:
        self.page.wait_for_function(f"() => {condition}", timeout=timeout * 1000)

    @property
    def transport(self) -> str:
        return str(self.page.evaluate("live.transport"))

    def position(self, stream: str) -> str:
        return str(self.page.evaluate("(stream) => subscriptions[stream].position", stream))


@pytest.fixture(scope="package")
def browser() -> Iterator[Chromium]:
    with chromium(without=["--disable-back-forward-cache"]) as browser:
        yield browser


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def context(browser: Chromium, server: Any) -> Iterator[BrowserContext]:
    """A browser's profile; it is closed before the server stops, which waits for its clients."""
    context = browser.new_context()
    yield context
    browser.close(context)


@pytest.fixture
def open_tab(context: BrowserContext, server: ScriptedServer) -> Callable[..., Tab]:
    """Open one more tab of the same browser, with a clock that can jump, or a script that runs before its own."""

    def open_tab(*, clock: bool = False, script: str = "") -> Tab:
        return Tab(context.new_page(), server.url + "/page", clock=clock, script=script)

    return open_tab
