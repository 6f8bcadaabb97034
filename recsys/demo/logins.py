"""The people of the demo that a visitor can log in as."""

from __future__ import annotations

from dataclasses import dataclass

# Public on purpose, and printed by `manage.py up`: it opens nothing but generated people.
# `load_demo --password` chooses another for an installation that others can reach.
DEMO_PASSWORD = "demo-tributary"  # noqa: S105


@dataclass(frozen=True)
class DemoLogin:
    """One login; `tastes` are the tags of the themes that this person likes, best first."""

    username: str
    display_name: str
    region: str
    bio: str
    tastes: tuple[str, ...]
    is_staff: bool = False

    @property
    def role(self) -> str:
        return "staff, with every right in the admin" if self.is_staff else "reader"


DEMO_LOGINS: tuple[DemoLogin, ...] = (
    DemoLogin(
        "ana", "Ana Sousa", "BR", "Spaceships, robots and the occasional heist.", ("space", "time travel", "heist")
    ),
    DemoLogin("ben", "Ben Carter", "GB", "Mostly detectives. Sometimes dragons.", ("detective", "dragons", "spy")),
    DemoLogin("staff", "Sam Okafor", "GB", "Looks after the catalogue.", ("nature", "music", "food"), is_staff=True),
    DemoLogin("admin", "Ada Lindqvist", "US", "Keeps the lights on.", ("satire", "family", "biography"), is_staff=True),
)


def describe_logins(password: str = DEMO_PASSWORD) -> list[str]:
    """One line for each demo login, for a terminal."""
    width = max(len(login.username) for login in DEMO_LOGINS)
    return [f"{login.username:<{width}}  {password}  ({login.role})" for login in DEMO_LOGINS]
