# ruff: noqa: E501 -- a table of names reads better unwrapped
"""Names of the people of the demo, by region. Where a name is not in Latin letters, `|` gives what its username is made from."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NamePool:
    """Given and family names of a region, its share of the community, and the order in which a name is written."""

    share: float
    given: tuple[str, ...]
    family: tuple[str, ...]
    family_first: bool = False


def _pool(share: float, given: str, family: str, family_first: bool = False) -> NamePool:
    return NamePool(share, tuple(given.split()), tuple(family.split()), family_first)


NAMES: dict[str, NamePool] = {
    "US": _pool(
        0.20,
        "Maya Jordan Ethan Aaliyah Carlos Grace Logan Naomi Tyler Zoe Marcus Hannah Diego Riley Jasmine Caleb Destiny Noah Sofia Andre",
        "Johnson Rivera Kim Washington Miller Nguyen Brooks Cohen Ramirez Parker Foster Jackson Reed Ortiz Bennett Coleman Hayes Tran Sullivan Price",
    ),
    "GB": _pool(
        0.16,
        "Oliver Amelia Harry Isla Callum Poppy Rhys Niamh Imogen Alfie Priya Yusuf Freya Ewan Beatrice Kwame Megan Tariq Rosie Angus",
        "Smith Evans MacDonald Taylor Hughes Begum Clarke Walker Osei Murray Fletcher Patel Whitfield Doyle Ahmed Bailey Pritchard Campbell Shaw Hussain",
    ),
    "DE": _pool(
        0.11,
        "Lukas Mia Jonas Lena Felix Emilia Maximilian Hanna Elif Jürgen Anneliese Moritz Leonie Emre Greta Tobias Käthe Matthias Aylin Björn",
        "Müller Schmidt Fischer Weber Yılmaz Wagner Becker Schäfer Hoffmann Koch Demir Neumann Krüger Zimmermann Vogel Kaya Brandt Lehmann Böhm Winkler",
    ),
    "FR": _pool(
        0.10,
        "Camille Léa Hugo Amélie Mathis Inès Jules Manon Théo Fatou Élodie Karim Chloé Bastien Aïcha Antoine Margaux Rémi Noémie Mamadou",
        "Martin Bernard Dubois Rousseau Lefèvre Moreau Diallo Girard Benali Fontaine Chevalier Garnier Traoré Perrin Leclerc Mercier Haddad Renard Colin Lemaire",
    ),
    "JP": _pool(
        0.10,
        "葵|aoi 蓮|ren 陽菜|hina 湊|minato 凛|rin 大翔|hiroto 結衣|yui 樹|itsuki さくら|sakura 健太|kenta 美咲|misaki 翔太|shota 千夏|chinatsu 悠真|yuma 彩|aya 直樹|naoki",
        "佐藤|sato 鈴木|suzuki 高橋|takahashi 田中|tanaka 渡辺|watanabe 伊藤|ito 山本|yamamoto 中村|nakamura 小林|kobayashi 加藤|kato 吉田|yoshida 山田|yamada 松本|matsumoto 井上|inoue",
        family_first=True,
    ),
    "BR": _pool(
        0.11,
        "João Beatriz Pedro Larissa Thiago Juliana Rafael Camila Mateus Fernanda Luan Isabela Vinícius Bruna Caio Letícia Otávio Marina Davi Thaís",
        "Silva Santos Oliveira Souza Pereira Costa Almeida Ribeiro Carvalho Gomes Nakamura Araújo Barbosa Rocha Teixeira Moura Cardoso Nunes Freitas Mendonça",
    ),
    "IN": _pool(
        0.10,
        "Aarav Ananya Vihaan Diya Arjun Kavya Rohan Meera Ishaan Saanvi Kabir Nisha Aditya Zoya Vikram Lakshmi Farhan Tara Dev Harpreet",
        "Sharma Iyer Khan Reddy Singh Nair Gupta Banerjee Kulkarni Das Mehta Fernandes Chatterjee Pillai Kaur Joshi Rao Qureshi Menon Bhat",
    ),
    "NG": _pool(
        0.05,
        "Chidi Amara Tunde Ngozi Emeka Folake Ibrahim Zainab Obinna Yewande Segun Halima Uche Temitope Kelechi Aisha",
        "Okafor Adeyemi Balogun Nwosu Eze Bello Okonkwo Danjuma Olawale Adichie Musa Ojo Abubakar Obi Akande Nnamdi",
    ),
    "ES": _pool(
        0.04,
        "Lucía Álvaro Martina Íñigo Carmen Nerea Pau Alba Javier Rocío Gorka Laia Marcos Ainhoa Núria Rubén",
        "García Fernández López Martínez Muñoz Ibáñez Etxeberria Puig Navarro Vázquez Serrano Ortega Castaño Vidal Peña Soler",
    ),
    "KR": _pool(
        0.03,
        "민준|minjun 서연|seoyeon 지후|jihu 하은|haeun 도윤|doyun 수아|sua 예준|yejun 지우|jiwoo 현우|hyunwoo 유나|yuna 태양|taeyang 은지|eunji",
        "김|kim 이|lee 박|park 최|choi 정|jung 강|kang 조|cho 윤|yoon 장|jang 임|lim 한|han 오|oh",
        family_first=True,
    ),
}  # fmt: skip

REGIONS: tuple[str, ...] = tuple(NAMES)
SHARES: tuple[float, ...] = tuple(pool.share for pool in NAMES.values())
_WITHOUT_ACCENT = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "ß": "ss"})


def draw_name(rng: np.random.Generator, region: str) -> tuple[str, str]:
    """A display name from `region` and the ASCII handle that its bearer would choose."""
    pool = NAMES[region]
    given, family = (names[int(rng.integers(len(names)))].split("|") for names in (pool.given, pool.family))
    written = f"{family[0]} {given[0]}" if pool.family_first else f"{given[0]} {family[0]}"
    first, last = _ascii(given[-1]), _ascii(family[-1])
    handle = (f"{first}.{last}", f"{first}_{last}", f"{first}{last[0]}", f"{first}.{last}", f"{last}.{first}", first)
    return written, handle[int(rng.integers(len(handle)))]


def draw_given_name(rng: np.random.Generator) -> str:
    """A given name from anywhere, in Latin letters."""
    pool = NAMES[REGIONS[int(rng.integers(len(REGIONS)))]]
    return pool.given[int(rng.integers(len(pool.given)))].split("|")[-1].capitalize()


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().translate(_WITHOUT_ACCENT))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
