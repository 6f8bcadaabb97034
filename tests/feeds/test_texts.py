"""Links, mentions and hashtags: what is one, what is not, and that nothing written becomes markup."""

from __future__ import annotations

import time
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.texts import MOST_MENTIONS, MOST_TAGS, canonical_tag, hashtags_of, names_in, pieces, render
from recsys.accounts.models import User

PEOPLE = {name: User(pk=number, username=name) for number, name in enumerate(["ana", "ben.k", "Cleo", "x_1"], 1)}
SIGNS = [*"@#＃<>\"'&/:.,()[]_- \n\t\0axhtps1é\u202e\u200bन\u093f", "https://", "@ana", "#t"]
HOSTILE = st.lists(st.sampled_from(SIGNS), max_size=80).map("".join)


def links(text: str) -> list[str]:
    return [piece.meaning for piece in pieces(text) if piece.kind == "link"]


class _Reader(HTMLParser):
    """The words of a fragment, and its tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


class TestLinks:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("See https://example.org.", ["https://example.org"]),
            ("(https://example.org/a)", ["https://example.org/a"]),
            ("https://en.wikipedia.org/wiki/Heat_(film)", ["https://en.wikipedia.org/wiki/Heat_(film)"]),
            ("(see https://en.wikipedia.org/wiki/Heat_(film))!", ["https://en.wikipedia.org/wiki/Heat_(film)"]),
            ("https://a.example/x?y=1&z=2#top, and http://b.example:8080/…", [
                "https://a.example/x?y=1&z=2#top", "http://b.example:8080/"]),
            ("HTTPS://Example.org/Ab", ["https://example.org/Ab"]),
            ("“https://example.org/”", ["https://example.org/"]),
            ("https://example.org/a\nhttps://example.org/b", ["https://example.org/a", "https://example.org/b"]),
            ("http://[::1]:80/", ["http://[::1]:80/"]),
            ("http://münchen.example/", ["http://xn--mnchen-3ya.example/"]),
        ],
    )  # fmt: skip
    def test_are_found_without_the_punctuation_around_them(self, text, found):
        assert links(text) == found

    @pytest.mark.parametrize(
        "text",
        [
            "javascript:alert(1)", "data:text/html,x", "ftp://example.org", "//example.org", "example.org", "https://",
            "https://.", "xhttps://example.org", "http://[", "http://a:99999/", "mailto:a@example.org",
            "https://bank.example@evil.example/", "https://bank.example:x@evil.example", "https://a..b/",
        ],
    )  # fmt: skip
    def test_nothing_else_is_one(self, text):
        assert links(text) == []

    def test_a_foreign_letter_shows_as_what_it_is(self):
        html = render("https://ex\u0430mple.org/login", {})  # a Cyrillic a
        assert "xn--" in html
        assert "\u0430" not in html

    def test_what_nobody_sees_ends_a_link(self):
        assert links("https://example.org/\u202egpj.exe") == ["https://example.org/"]

    def test_lead_away_without_recommending(self):
        html = render("https://example.org/?a=1&b=2", {})
        assert html == (
            '<a href="https://example.org/?a=1&amp;b=2" rel="nofollow noopener ugc">https://example.org/?a=1&amp;b=2</a>'
        )

    def test_a_long_one_is_shown_short(self):
        html = render("https://example.org/" + "x" * 200, {})
        assert "…</a>" in html
        assert f'href="https://example.org/{"x" * 200}"' in html


class TestMentions:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("@ana hello", ["ana"]), ("Hi @ana, @ben.k.", ["ana", "ben.k"]), ("(@ana)", ["ana"]), ("@x_1!", ["x_1"]),
            ("@ana @ana", ["ana"]), ("@Ana", ["Ana"]), ("@ana-", ["ana"]), ("@ana's", ["ana"]),
            ("@ana\n@x_1", ["ana", "x_1"]),
            ("mail ana@example.org", []), ("@ana@example.org", []), ("@an\u0430", []), ("@\u0430na", []), ("@", []),
            ("@@ana", []), ("@.ana", []), ("x/@ana", []), ("#@ana", []), ("@anaé", []),
        ],
    )  # fmt: skip
    def test_names(self, text, found):
        assert names_in(text) == found

    def test_lead_to_the_people_there_are(self):
        html = render("@ana @nobody @Ben.K @Cleo @cleo", PEOPLE)
        assert html == (
            '<a href="/@ana/" class="mention">@ana</a> @nobody <a href="/@ben.k/" class="mention">@Ben.K</a> '
            '<a href="/@Cleo/" class="mention">@Cleo</a> @cleo'
        )

    def test_are_bounded(self):
        assert len(names_in(" ".join(f"@a{number}" for number in range(300)))) == MOST_MENTIONS


class TestHashtags:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("#Heat and #heat", ["heat"]), ("#Straße #STRASSE", ["strasse"]), ("#Café", ["café"]),
            ("#Cafe\u0301", ["café"]),
            ("#हिन्दी", ["हिन्दी"]), ("#日本語", ["日本語"]), ("＃日本", ["日本"]),
            ("#ｆｕｌｌ", ["full"]), ("#a_b", ["a_b"]),
            ("#1st", ["1st"]), ("(#tag)", ["tag"]), ("#one#two", ["one"]), ("#2024", []), ("#__", []),
            ("# x", []), ("#", []),
            ("a#b", []), ("##x", []), ("/#x", []), ("&#x41;", []), ("https://example.org/#top", []),
            ("#½", []), ("#ﷺ", []),
            ("#️⃣", []), ("#tag,", ["tag"]), ("#c++", ["c"]),
        ],
    )  # fmt: skip
    def test_tags(self, text, found):
        assert hashtags_of(text) == found

    def test_have_at_most_a_hundred_characters(self):
        assert hashtags_of("#" + "x" * 100) == ["x" * 100]
        assert hashtags_of("#" + "x" * 101) == []
        assert canonical_tag("\ufb03" * 40) == "", "a ligature becomes three letters"

    def test_are_bounded(self):
        assert len(hashtags_of(" ".join(f"#a{number}" for number in range(300)))) == MOST_TAGS

    @given(st.text(max_size=30))
    def test_the_canonical_form_is_its_own(self, text):
        tag = canonical_tag(text)
        assert canonical_tag(tag) == tag if tag else True

    def test_lead_to_their_page(self):
        assert 'href="/tags/caf%C3%A9/"' in render("#Café", {})


class TestRendering:
    @given(HOSTILE)
    def test_the_words_stay_and_nothing_written_becomes_markup(self, text):
        html = render(text, PEOPLE)
        read = _Reader(html)
        assert {tag for tag, _ in read.tags} <= {"a"}
        for _, attributes in read.tags:
            assert set(attributes) <= {"href", "rel", "class"}
            assert attributes["href"].startswith(("http://", "https://", "/@", "/tags/"))
            assert attributes["href"].startswith("/") or attributes["rel"] == "nofollow noopener ugc"
        if "https://" not in text.lower():
            assert read.words == text, "no word is lost, none is added"
        without_tags = html.replace("</a>", "").split("<a ")
        assert all("<" not in part.partition(">")[2] for part in without_tags[1:])
        assert "<" not in without_tags[0]

    @given(HOSTILE)
    def test_the_pieces_are_the_text(self, text):
        assert "".join(piece.written for piece in pieces(text)) == text

    @given(st.text(max_size=300))
    def test_any_text_can_be_shown(self, text):
        assert "<script" not in render("<script>" + text, PEOPLE)

    def test_line_ends_stay(self):
        assert render("a\n\n#b\nc", {}).count("\n") == 3

    @pytest.mark.parametrize(
        "text",
        ["<img src=x onerror=alert(1)>", 'https://x.example/"onclick="alert(1)', "#<b>", '@ana"><script>', "&lt;b&gt;"],
    )
    def test_markup_is_text(self, text):
        html = render(text, PEOPLE)
        assert "<img" not in html
        assert 'onclick="' not in html
        assert unescape(_Reader(html).words.replace("…", "")) in unescape(text) or _Reader(html).words == text

    @pytest.mark.parametrize(
        "part",
        ["@", "#", "@a", "#a", "@a.", "#a\u0301", "https://", "https://a", "((", "https://a)", "http://a.", "@a-", "."],
    )
    def test_hostile_text_takes_bounded_work(self, part):
        text = (part * 2000)[:2000]
        began = time.process_time()
        render(text, PEOPLE)
        once = time.process_time() - began
        assert once < 0.25, once
