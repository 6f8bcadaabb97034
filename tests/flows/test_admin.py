"""Staff at the admin in a real browser, under the real policy: what its console complains of is an error."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD

MODELS = [model._meta for model in admin.site._registry]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_list_and_form_works_under_the_strict_policy(visit, scheme):
    boss = visit(color_scheme=scheme)
    boss.log_in("admin", DEMO_PASSWORD)
    boss.open("/admin/")
    expect(boss.page.locator(".operations")).to_contain_text("Relay lag")
    for meta in MODELS:
        name = f"admin:{meta.app_label}_{meta.model_name}_"
        boss.open(reverse(name + "changelist"))
        if boss.page.locator(".object-tools .addlink").count():
            boss.open(reverse(name + "add"))
            expect(boss.page.locator("input[name=_save]")).to_be_visible()
    boss.open(reverse("admin:events_interactions"))
    expect(boss.page.locator("#content .module tbody tr")).to_have_count(100)
    boss.open(reverse("admin:memory"))
    expect(boss.page.locator("#content")).to_contain_text("timeline:home:{reader}")


def test_an_author_is_found_by_typing_and_overridden(visit):
    boss = visit()
    boss.log_in("admin", DEMO_PASSWORD)
    page = boss.open(reverse("admin:feeds_authoroverride_add"))
    page.click(".select2-selection")
    page.keyboard.type("ben")
    page.locator(".select2-results__option", has_text="ben").first.click()
    page.select_option("#id_mode", "pull")
    page.click("input[name=_save]")
    expect(page.locator("#result_list")).to_contain_text("Pull")
    page.locator("#result_list tbody th a").first.click()
    page.locator(".deletelink").click()
    page.locator("input[type=submit][value*=sure]").click()
    expect(page.locator(".messagelist")).to_contain_text("deleted")


def test_what_a_person_was_shown_is_explained(visit):
    boss = visit()
    boss.log_in("admin", DEMO_PASSWORD)
    page = boss.open(reverse("admin:recommend_slate_changelist") + "?q=admin")
    page.locator("#result_list tbody th a").first.click()
    expect(page.get_by_role("heading", name="Why did this person see this?")).to_be_visible()
    expect(page.locator("section", has_text="Reason shown").locator("tbody tr").first).to_be_visible()
    expect(page.locator("section", has_text="Trace").last).to_contain_text("served by")
