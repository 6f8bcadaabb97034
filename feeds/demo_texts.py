# ruff: noqa: E501 -- a table of phrases reads better unwrapped
"""What the people of the demo write about: phrases, and how they are put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.demo.catalogue import with_articles
from recsys.demo.themes import Theme

VERBS = {"film": "watched", "series": "binged", "book": "read"}
PLURALS = {"film": "films", "series": "series", "book": "books"}
WHENS = (
    "last night", "on the train this morning", "over the weekend", "with my sister", "for the third time", "in one sitting", "against my better judgement",
    "on a friend's advice", "with the sound off, long story", "while the rain came down", "on my lunch break", "instead of sleeping", "for our film club",
    "with the kids", "at my mother's", "under a blanket with a cold", "between two night shifts", "on a very delayed flight", "because of a post here",
)  # fmt: skip
VERDICTS = (
    "I have not stopped thinking about it.", "Better than it has any right to be.", "The middle sags, but what an ending.", "I laughed, then felt bad about it.",
    "Wonderful. Go in knowing nothing.", "Overpraised, if you ask me.", "I wanted to love it and only liked it.", "It earns every minute.",
    "Half of it is brilliant. Guess which half.", "The first ten minutes alone are worth it.", "A quiet marvel.", "Not for everyone, exactly for me.",
    "I take back everything I said.", "My neighbour could hear me gasp.", "It stays with you.", "I'd give it four stars and a hug.",
    "Somebody please talk to me about the last scene.", "I was wrong about this one.", "Two stars, both for the music.", "The dialogue is so sharp it should come with a warning.",
    "Honestly? Fell asleep. My fault, not its.", "It made me call my brother.", "The translation is a joy.", "Every detail in it is there for a reason.",
)  # fmt: skip
OPENINGS = (
    "Finally {verb} “{title}” {when}.", "Just {verb} “{title}”.", "“{title}”: {verb} it {when}.", "So I {verb} “{title}” {when}.", "{verb_cap} “{title}” {when}.",
    "Okay, “{title}”.", "Nobody told me about “{title}”.", "Update: “{title}” {when}.", "Everybody was right about “{title}”.",
    "A {theme} story I did not expect: “{title}”.", "“{title}” again, {when}.", "Took me long enough to get to “{title}”.",
)  # fmt: skip
DETAILS = (
    "The part {place} is the heart of it.", "It all takes place {place}, and you can feel it.", "{hero_cap} {deed}: who comes up with that?",
    "You had me at “{hero} {deed}”.", "If {theme} stories are your thing, this is the one.", "I don't even like {theme} stories, usually.",
    "Reminds me why I fell for {genre} {kinds} in the first place.", "Best {genre} {kind} of the year so far.", "The {year} one, not the remake.", "From {year}, and it has not aged a day.",
    "That scene {place}!", "Somehow {hero} is the most believable character of the year.",
)  # fmt: skip
ALONE = (
    "What should I try after “{title}”? Something in the {theme} line, please.", "Looking for {theme} stories that are not from the last five years. Go.", "Hot take: the best {genre} {kinds} are {theme} stories.",
    "Question for the {theme} people: does “{title}” hold up?", "Ranking every {theme} story I know. “{title}” is staying at the top.", "Is it just me or are {genre} {kinds} getting better again?",
    "My {theme} shelf has overflowed. No regrets.", "“{title}” would have been twice as good at half the length.", "Someone recommended “{title}”, and now I have plans for tonight.",
    "Unpopular opinion: “{title}” is overrated, and I will explain at length.", "Three things I love: {theme} stories, tea, and endings that hurt.", "Started “{title}” {when}. No spoilers.",
    "If you only have time for one {kind} this month, take “{title}”.", "Our club picked “{title}”. Half of us are furious, so it worked.", "I keep coming back to “{title}”.",
    "“{hero_cap} {deed}.” Yes please.", "Note to self: never start “{title}” after midnight.", "Give me {hero} {place} and I am happy.",
    "Why does every {theme} story end {place}? I counted four this month.", "Lending “{title}” to a colleague tomorrow. This will be a test of character.",
    "Dreamt I was {place}. Too many {theme} stories, I suppose.", "There are two kinds of people: those who have met “{title}”, and those I am about to annoy.",
)  # fmt: skip
GREETINGS = (
    "Morning, all.", "Slow Sunday.", "Back after a week offline.", "New here, be kind.", "It has been raining for three days.", "Tea's ready.", "Can't sleep.", "Payday!",
)  # fmt: skip

ANSWERS = (
    "Yes!", "So true.", "I disagree, politely.", "Say more.", "Thank you for this.", "That bad?", "You convinced me.", "My thoughts exactly.",
    "Wait until the ending.", "I must have seen another cut.", "Finally somebody says it.", "Counterpoint: no.",
)  # fmt: skip
ADDITIONS = (
    "Putting it on my list.", "My sister said the same.", "I will be thinking about this all day.", "Now I have to start over.", "Where did you find it?",
    "I owe you a coffee.", "We should talk about it on Friday.", "The music alone!", "It took me three attempts.", "No spoilers, please.", "",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """The item that a post is about."""

    title: str
    kind: str
    year: int
    theme: Theme


def compose(rng: np.random.Generator, subject: Subject) -> str:
    """A post about `subject`, of one to four sentences."""
    theme = subject.theme
    hero, deed, verb = _pick(rng, theme.heroes), _pick(rng, theme.deeds), VERBS[subject.kind]
    words = {
        "title": subject.title, "kind": subject.kind, "kinds": PLURALS[subject.kind], "year": subject.year, "theme": theme.tag, "genre": theme.genre.lower(),
        "hero": hero, "hero_cap": hero[0].upper() + hero[1:], "deed": deed, "place": _pick(rng, theme.places),
        "verb": verb, "verb_cap": verb.capitalize(), "when": _pick(rng, WHENS),
    }  # fmt: skip
    if rng.random() < 0.35:
        parts = [_pick(rng, ALONE)]
    else:
        parts = [_pick(rng, OPENINGS)]
        parts += [_pick(rng, DETAILS)] if rng.random() < 0.55 else []
        parts += [_pick(rng, VERDICTS)] if rng.random() < 0.75 or len(parts) == 1 else []
    if rng.random() < 0.07:
        parts.insert(0, _pick(rng, GREETINGS))
    return with_articles(" ".join(parts).format(**words))


def answer(rng: np.random.Generator) -> str:
    """A reply to whatever somebody wrote."""
    return f"{_pick(rng, ANSWERS)} {_pick(rng, ADDITIONS)}".strip()


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]
