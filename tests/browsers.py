"""Debian's chromium, driven by Playwright, for the flows and the tests of scripts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

CHROMIUM = Path("/usr/bin/chromium")
# Each window would else make two pages for what drops down from its address bar, which costs more than all the rest.
OF_THE_ADDRESS_BAR = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup"]
# What Playwright switches off itself: Chromium goes by the last list that it is given.
OF_PLAYWRIGHT = [
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "TcpPortRandomizationWin", "OptimizationHints",
    "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch", "msForceBrowserSignIn",
    "msEdgeUpdateLaunchServicesPreferredVersion",
]  # fmt: skip
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    f"--disable-features={','.join(OF_PLAYWRIGHT + OF_THE_ADDRESS_BAR)}",
]  # fmt: skip
CLOSING = 30.0  # seconds


class Chromium:
    """A browser that is started when it is first needed, and anew after it had to be killed.

    Now and then it never answers to the closing of a context, for which Playwright would wait for ever.
    """

    def __init__(self, playwright: Playwright, *, without: Sequence[str] = ()) -> None:
        self._playwright = playwright
        self._without = list(without)
        self._browser: Browser | None = None

    def new_context(self, **options: Any) -> BrowserContext:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=FLAGS, ignore_default_args=self._without
            )
        return self._browser.new_context(**options)

    def new_page(self) -> Page:
        return self.new_context().new_page()

    def close(self, part: BrowserContext | Browser | None = None) -> None:
        """Close a context, or the browser."""
        from playwright.sync_api import Error

        if (part := part or self._browser) is None:
            return
        killed = threading.Event()

        def kill() -> None:
            killed.set()
            kill_browsers()

        timer = threading.Timer(CLOSING, kill)
        timer.start()
        try:
            part.close()
        except Error:
            if not killed.is_set():
                raise
        finally:
            timer.cancel()


@contextmanager
def chromium(*, without: Sequence[str] = ()) -> Iterator[Chromium]:
    """Chromium for a test, without some of Playwright's own flags; where it is not installed, the test is skipped."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = Chromium(playwright, without=without)
        yield browser
        browser.close()


def kill_browsers() -> None:
    """Kill the browsers that this process has started."""
    for pid in browser_processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def browser_processes() -> list[int]:
    """Chromium's processes among what this process has started, directly or not."""
    parents, browsers = {}, set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                parents[int(entry.name)] = int(rest.split()[1])
                if name.startswith("chrom"):
                    browsers.add(int(entry.name))
    return [pid for pid in browsers if _is_below(pid, os.getpid(), parents)]


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor
