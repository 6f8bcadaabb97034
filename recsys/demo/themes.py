# ruff: noqa: E501 -- a table of words reads better unwrapped
"""What the demo's items are about: the words from which titles, descriptions, tags and tastes are made.

A theme is one latent dimension of taste. Its words appear in its items' descriptions, so the content model can find it, and
people who like it meet its items more often, so collaborative filtering can too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """One subject within a genre: `tag` names it, `nouns` and `adjectives` make titles, the rest makes descriptions."""

    genre: str
    tag: str
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    places: tuple[str, ...]
    heroes: tuple[str, ...]
    deeds: tuple[str, ...]


def _theme(genre: str, tag: str, *words: str) -> Theme:
    nouns, adjectives, places, heroes, deeds = (tuple(part.strip() for part in line.split(";")) for line in words)
    return Theme(genre, tag, nouns, adjectives, places, heroes, deeds)


THEMES: tuple[Theme, ...] = (
    _theme(
        "Science Fiction", "space",
        "Orbit; Signal; Airlock; Horizon; Beacon; Satellite; Perihelion; Hull; Constellation",
        "Silent; Distant; Frozen; Weightless; Outer",
        "on a mining station beyond Saturn; aboard a colony ship three centuries from home; on the far side of the Moon",
        "a retired navigator; the ship's youngest engineer; a cargo pilot with a forged licence",
        "answers a signal that nobody else can hear; must choose which half of the crew wakes up; takes a derelict in tow",
    ),
    _theme(
        "Science Fiction", "artificial intelligence",
        "Machine; Circuit; Oracle; Automaton; Replica; Protocol; Mirror; Cipher",
        "Synthetic; Patient; Perfect; Borrowed; Second",
        "in a data centre under the Arctic ice; in a city run by its own traffic lights; inside a care home for robots",
        "a programmer who cannot sleep; a household robot; the last human proofreader",
        "finds that the model has been writing letters; teaches a machine to forget; is asked to testify against an algorithm",
    ),
    _theme(
        "Science Fiction", "time travel",
        "Hour; Clock; Paradox; Yesterday; Loop; Calendar; Minute; Echo",
        "Backward; Missing; Repeated; Unwound; Late",
        "in a railway town where every clock is wrong; on the same Tuesday, again; between 1926 and next week",
        "a watchmaker's daughter; a physicist on parole; a man who has already met his grandchildren",
        "keeps returning to the same platform; tries to undo a single phone call; receives a postcard from her future self",
    ),
    _theme(
        "Crime", "heist",
        "Vault; Getaway; Score; Diamond; Safe; Alibi; Tunnel; Cut",
        "Clean; Crooked; Easy; Double; Final",
        "beneath the oldest bank in Antwerp; during the loudest carnival of the decade; on a train that never stops",
        "a safecracker with failing eyes; a team that has never met; a bank clerk with a perfect memory",
        "plans one robbery and gets another; steals back what was stolen; has nine minutes and no exit",
    ),
    _theme(
        "Crime", "detective",
        "Case; Witness; Evidence; Confession; Motive; Suspect; Inspector; Stranger",
        "Cold; Unsolved; Reluctant; Quiet; Third",
        "in a harbour town out of season; in a hotel cut off by snow; along a canal that keeps its secrets",
        "an inspector on her last week; a village policeman; a crossword setter turned sleuth",
        "reopens a murder that everyone agreed to forget; follows a trail of library fines; doubts her own witness",
    ),
    _theme(
        "Crime", "organised crime",
        "Family; Debt; Oath; Syndicate; Brother; Territory; Ledger; Betrayal",
        "Loyal; Bloody; Honest; Sworn; Unpaid",
        "in the docks of Marseille; behind a bakery in Naples; along the night markets of Osaka",
        "the youngest son of a feared family; an accountant who knows too much; a driver who asks no questions",
        "inherits a debt that cannot be paid; keeps two sets of books; wants out, one funeral too late",
    ),
    _theme(
        "Drama", "family",
        "House; Inheritance; Kitchen; Sister; Orchard; Harvest; Table; Photograph",
        "Empty; Ordinary; Gentle; Unfinished; Shared",
        "in a farmhouse about to be sold; around one table over thirty Sundays; in a flat above a launderette",
        "the eldest of three sisters; a widower; a mother who has begun to forget",
        "comes home for a funeral and stays; divides what cannot be divided; learns to cook from an unposted letter",
    ),
    _theme(
        "Drama", "courtroom",
        "Verdict; Appeal; Juror; Testimony; Sentence; Oath; Doubt; Defence",
        "Reasonable; Silent; Guilty; Final; Contested",
        "in a courthouse without air conditioning; during a trial the whole country watches; in a small-town tribunal",
        "a public defender; the twelfth juror; a judge with a secret",
        "defends the man who ruined her father; refuses to vote; discovers the letter that changes everything",
    ),
    _theme(
        "Drama", "coming of age",
        "Summer; Bicycle; Classroom; Goodbye; River; Promise; Neighbour; Swimmer",
        "Young; Restless; Barefoot; Awkward; Bright",
        "in the last summer before the factory closes; at a boarding school by the sea; on an island with one bus",
        "a girl who talks to radios; the quieter of two best friends; a boy who has never left the valley",
        "learns to swim and to lie; spends one summer keeping a promise; falls in with the wrong choir",
    ),
    _theme(
        "Comedy", "workplace",
        "Meeting; Intern; Deadline; Printer; Office; Lunch; Memo; Promotion",
        "Annual; Temporary; Unpaid; Casual; Urgent",
        "in the least important ministry of the country; at a failing garden centre; in an open-plan office with one window",
        "a temp who is mistaken for the director; the quietest of a team of five; the only employee who reads the manual",
        "accidentally becomes the boss; must organise the worst party of the year; hides a goat from the auditors",
    ),
    _theme(
        "Comedy", "romantic comedy",
        "Wedding; Bouquet; Date; Kiss; Engagement; Honeymoon; Bridesmaid; Valentine",
        "Accidental; Unlikely; Second; Charming; Fake",
        "at a wedding where nobody knows the groom; in a bookshop in Lisbon; on a double-booked holiday",
        "a florist allergic to roses; a pastry cook with a rival next door; a wedding planner who has sworn off love",
        "agrees to a fake engagement; writes love letters for the wrong person; misses every train but one",
    ),
    _theme(
        "Comedy", "satire",
        "Committee; Minister; Statue; Slogan; Election; Parade; Inauguration; Scandal",
        "Glorious; Honourable; Modest; Supreme; Patriotic",
        "in a republic the size of a car park; during the opening of a bridge to nowhere; on a live breakfast show",
        "a speechwriter; the mayor's understudy; an honest lobbyist",
        "wins an election nobody held; sells the same statue three times; loses the national anthem",
    ),
    _theme(
        "Romance", "great love",
        "Letter; Heart; Dance; Garden; Embrace; Longing; Window; Melody",
        "Tender; Forbidden; Secret; Endless; First",
        "in Buenos Aires between two tangos; across one winter in Prague; in a lighthouse keeper's cottage",
        "a piano tuner; a translator; a married cartographer",
        "falls in love with a handwriting; waits ten years for an answer; finds the person on the other end of a wrong number",
    ),
    _theme(
        "Romance", "period romance",
        "Duchess; Ball; Estate; Governess; Carriage; Suitor; Portrait; Season",
        "Scandalous; Noble; Proper; Veiled; Improper",
        "at a country house in 1813; during the London season; at a crumbling palace on the Loire",
        "a governess with opinions; a duke without a fortune; a painter in borrowed boots",
        "refuses the only sensible proposal; paints a portrait that tells too much; dances with the wrong brother",
    ),
    _theme(
        "Romance", "long distance",
        "Postcard; Airport; Distance; Timezone; Telephone; Border; Return; Ferry",
        "Faraway; Delayed; Parallel; Unsent; Northern",
        "between Lagos and Leeds; across eleven time zones; at an airport during a strike",
        "a stranger with the wrong ticket; a long-haul steward; an exchange student",
        "keeps a love alive by voice messages; meets once a year on the same ferry; shares a suitcase by mistake",
    ),
    _theme(
        "Horror", "haunted house",
        "Cellar; Staircase; Attic; Lullaby; Door; Candle; Guest; Nursery",
        "Hollow; Whispering; Locked; Pale; Thirteenth",
        "in a manor with one door too many; in a block of flats where the lift stops between floors; at the old sanatorium",
        "a bride who never unpacks; a sceptical surveyor; the night nurse",
        "hears a lullaby through the wall; finds a room that is on no plan; invites in the previous owner",
    ),
    _theme(
        "Horror", "folk horror",
        "Scarecrow; Ritual; Harvest; Antler; Marsh; Idol; Solstice; Thorn",
        "Old; Buried; Hungry; Crooked; Hallowed",
        "in a village missing from every map; on the marshes at midsummer; around a stone that must be fed",
        "a folklorist; a priest on his first posting; a family from the city",
        "joins a festival that does not end; digs up what was planted; is chosen as queen of the harvest",
    ),
    _theme(
        "Horror", "monster",
        "Beast; Claw; Swarm; Lagoon; Hunger; Brood; Creature; Bite",
        "Nameless; Crawling; Deep; Ravenous; Nocturnal",
        "in a flooded metro; at an Antarctic research base; under a lake that was drained too soon",
        "a marine biologist; the last night guard; a school class on an outing",
        "wakes something that was only resting; counts the survivors and finds one too many; films what must not be seen",
    ),
    _theme(
        "Fantasy", "dragons",
        "Crown; Dragon; Throne; Ember; Sword; Raven; Kingdom; Heir",
        "Fallen; Golden; Last; Exiled; Iron",
        "in a kingdom under the ash; beyond the seventh wall; in a castle that only exists in winter",
        "a blacksmith's apprentice; an exiled princess; the king's taster",
        "hatches the last dragon by accident; claims a throne of thorns; must carry fire across the mountains",
    ),
    _theme(
        "Fantasy", "magic school",
        "Spell; Apprentice; Wand; Grimoire; Familiar; Potion; Lantern; Riddle",
        "Minor; Forbidden; Enchanted; Clumsy; Ninth",
        "at an academy for late bloomers; in a library that rearranges itself; in the city's only shop for used spells",
        "a student with no magic; a failed witch; a twin who has lost her shadow",
        "fails every exam but the impossible one; steals a page from a living book; swaps lives with a familiar",
    ),
    _theme(
        "Fantasy", "myth",
        "Labyrinth; Minotaur; Prophecy; Oracle; Nymph; Underworld; Titan; Thread",
        "Ancient; Cursed; Immortal; Wandering; Divine",
        "on the banks of the river of the dead; on an island of forgotten gods; in modern Athens",
        "a ferryman; a minor goddess of thresholds; the daughter of an oracle",
        "bargains with a god for one more day; follows a thread into the dark; retells a war from the losing side",
    ),
    _theme(
        "Adventure", "expedition",
        "Summit; Expedition; Compass; Glacier; Crossing; Map; Ridge; Basecamp",
        "Uncharted; High; Lost; Northern; Vertical",
        "on the north face of an unnamed peak; down the whole length of the Congo; across Iceland on foot",
        "a mountain guide; a disgraced cartographer; a climber past sixty",
        "sets out to find a missing expedition; climbs the wall that took her father; follows a map drawn by a child",
    ),
    _theme(
        "Adventure", "treasure",
        "Island; Pirate; Galleon; Treasure; Tide; Idol; Reef; Anchor",
        "Sunken; Hidden; Stolen; Salt; Scarlet",
        "off the coast of Madagascar; in a bay that appears at low tide; under the market of Cartagena",
        "a diver with one lung; a museum thief; a cabin boy",
        "finds a coin that should not exist; races a storm to a wreck; outwits the last pirate queen",
    ),
    _theme(
        "Adventure", "survival",
        "Storm; Raft; Wilderness; Desert; Avalanche; Shelter; Winter; Fire",
        "Bitter; Endless; Alone; White; Burning",
        "in the Australian outback; on a raft in the Pacific; in the Taiga at minus forty",
        "a bush pilot; the sole passenger; a teacher on a school trip",
        "walks out of the desert with a stranger; has water for six days; learns the language of wolves",
    ),
    _theme(
        "History", "war",
        "Regiment; Trench; Armistice; Bridge; Front; Letter Home; Siege; Medal",
        "Long; Forgotten; Muddy; Brave; Broken",
        "in the winter of 1917; during the siege of Leningrad; in a field hospital near Arras",
        "a stretcher bearer; a codebreaker; a deserter in a borrowed uniform",
        "carries a message through enemy lines; decodes a message meant for her brother; holds a bridge that no longer matters",
    ),
    _theme(
        "History", "court intrigue",
        "Queen; Regent; Poison; Cardinal; Ambassador; Crown Jewel; Chamber; Treaty",
        "Crimson; Secret; False; Royal; Whispered",
        "at the court of Ferrara; in the Topkapi palace; in Edo, behind paper walls",
        "a lady in waiting; a forger of treaties; the king's physician",
        "poisons the wrong cup; marries for a border; reads every letter before the queen does",
    ),
    _theme(
        "History", "biography",
        "Inventor; Pioneer; Composer; Notebook; Painter; Aviator; Reformer; Portrait",
        "Unknown; Stubborn; Brilliant; Self-Taught; Remarkable",
        "in a rented room in Vienna; in the workshops of Birmingham; in Bombay before independence",
        "a self-taught mathematician; the first woman to fly the mail; a composer going deaf",
        "changes her science and is forgotten for it; works through one impossible year; fights for her own signature",
    ),
    _theme(
        "Documentary", "nature",
        "Reef; Migration; Forest; Wolf; Whale; Meadow; Pollinator; Tundra",
        "Wild; Living; Vanishing; Green; Breathing",
        "on the Great Barrier Reef; in the last primeval forest of Europe; along the longest migration on Earth",
        "a beekeeper; a family of whales; a ranger with a camera",
        "follows one season from thaw to frost; counts birds for forty years; watches a forest come back",
    ),
    _theme(
        "Documentary", "music",
        "Record; Encore; Studio; Bassline; Tour; Vinyl; Festival; Choir",
        "Loud; Electric; Live; Unplugged; Lost",
        "in a studio in Kingston; on the road with a band of retired miners; in Detroit after midnight",
        "a sound engineer; a choir of prisoners; the drummer nobody credited",
        "reconstructs a lost recording; sings for an audience of one; follows a song around the world",
    ),
    _theme(
        "Documentary", "food",
        "Recipe; Harvest; Salt; Bread; Vineyard; Market; Supper; Spice",
        "Slow; Bitter; Homemade; Fermented; Honest",
        "in a ramen shop with six seats; among the salt farmers of Guérande; in the street kitchens of Chennai",
        "a three-star chef; a grandmother; a baker of sourdough",
        "gives up her stars; keeps one recipe alive; spends a year with a single grain",
    ),
    _theme(
        "Thriller", "spy",
        "Agent; Dossier; Defector; Checkpoint; Mole; Safe House; Passport; Handler",
        "Double; Burned; Grey; Deniable; Sleeping",
        "in Berlin in 1983; at an embassy under siege; on the night train to Istanbul",
        "a translator at the summit; an agent without a country; the handler's handler",
        "is recalled for a mission that does not exist; trades a secret for a daughter; finds her own name in the dossier",
    ),
    _theme(
        "Thriller", "psychological",
        "Stranger; Lie; Memory; Obsession; Reflection; Patient; Insomnia; Twin",
        "Perfect; Fractured; Sleepless; Other; Watching",
        "in a glass house in the woods; in a therapy group with one liar; on a motorway without exits",
        "a woman who remembers everything; a therapist; a man with his neighbour's face",
        "begins to doubt her own diary; is followed by someone who looks like him; confesses to a crime that never happened",
    ),
    _theme(
        "Thriller", "hacking",
        "Password; Breach; Backdoor; Zero Day; Ghost; Botnet; Firewall; Leak",
        "Anonymous; Encrypted; Rogue; Invisible; Offline",
        "on the servers of a small-town hospital; in a café in Tallinn; at a power station at three in the morning",
        "a teenage hacker; a burnt-out security auditor; a whistle-blower",
        "breaks into the wrong company; has one night to shut down a city; leaks a file that rewrites itself",
    ),
    _theme(
        "Animation", "talking animals",
        "Hedgehog; Fox; Owl; Penguin; Otter; Burrow; Badger; Moth",
        "Little; Brave; Grumpy; Clever; Tiny",
        "in a forest with its own postal service; in the zoo after closing time; under the floor of a grand hotel",
        "a fox who is afraid of the dark; a very small bear; an owl with a day job",
        "sets out to return a lost mitten; opens a night school; saves the meadow with a kite",
    ),
    _theme(
        "Animation", "mecha",
        "Titan; Reactor; Pilot; Armour; Colossus; Engine; Valkyrie; Core",
        "Steel; Crimson; Awakened; Prototype; Heavy",
        "in New Osaka, 2097; in an academy for pilots; among the ruins of a floating city",
        "an orphaned pilot; a mechanic; the thirteenth candidate",
        "wakes a machine that chose her; flies against the army that raised him; pays for power with memories",
    ),
    _theme(
        "Animation", "everyday magic",
        "Bathhouse; Kite; Rain Spirit; Bakery; Umbrella; Firefly; Tram; Cloud",
        "Floating; Kind; Hidden; Moonlit; Rainy",
        "in a seaside town where it rains upwards; at the last stop of a tram line; in a bakery run by spirits",
        "a girl who delivers umbrellas; a shy cloud; a grandmother and her broom",
        "spends a summer with a rain spirit; trades her shadow for a recipe; repairs the moon before school",
    ),
    _theme(
        "Western", "frontier",
        "Saddle; Gunslinger; Canyon; Sheriff; Stagecoach; Outlaw; Dust; Railroad",
        "Lonesome; Dry; Last; Crooked; Iron",
        "in a town with more graves than houses; along the railroad to Tucson; at a river crossing in Montana",
        "a sheriff without a gun; a mail-order bride; a horse thief with a conscience",
        "rides to return a stolen horse; holds a town for one night; hunts the man who spared him",
    ),
    _theme(
        "Sport", "underdog",
        "Champion; Season; Coach; Final; Goalkeeper; Marathon; Underdog; Ring",
        "Unbeaten; Local; Seventh; Golden; Impossible",
        "in the fourth division; at a boxing gym in Manchester; on a cricket pitch made of mud",
        "a coach who hates the game; a goalkeeper of forty-one; a village team",
        "has one season to stay up; runs the last marathon first; teaches a losing side to enjoy it",
    ),
)  # fmt: skip

GENRES: tuple[str, ...] = tuple(dict.fromkeys(theme.genre for theme in THEMES))
