from __future__ import annotations

import os
import signal

from tests import browsers
from tests.browsers import browser_processes, chromium


def test_a_browser_that_does_not_close_is_killed_and_started_anew(monkeypatch):
    monkeypatch.setattr(browsers, "CLOSING", 1.0)
    with chromium() as browser:
        context = browser.new_context()
        context.new_page().goto("about:blank")
        first = set(browser_processes())
        assert first
        for pid in first:
            os.kill(pid, signal.SIGSTOP)
        browser.close(context)
        again = browser.new_context()
        again.new_page().goto("about:blank")
        assert not first & set(browser_processes())
        browser.close(again)


def test_what_playwright_switches_off_stays_so():
    """Of several lists Chromium takes the last, which is ours."""
    with chromium() as browser:
        context = browser.new_context()
        page = context.new_page()
        page.goto("chrome://version/")
        command = page.locator("#command_line").inner_text().split()
        playwrights, ours = (
            flag.split("=")[1].split(",") for flag in command if flag.startswith("--disable-features=")
        )
        assert set(playwrights) < set(ours)
        browser.close(context)
