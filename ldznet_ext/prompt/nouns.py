"""What a generation prompt names: the things to offer as regions, with the prompt's own syntax read away.

The syntax is the web UIs': `(a:1.3)` `[a]` `[a:b:0.5]` `[a|b]` `{a|b}` `<lora:x:1>` `BREAK` `AND` `__card__` `\\(`. There is
no tagger here: phrases are cut at commas, prepositions and verbs in -ing, and words that praise or set the scene are left out.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MOST = 24
"""Things of one prompt; each costs a map."""
LONGEST = 4
"""Words of one thing: what is longer is cut to the last ones, where English has its noun."""
ARTICLES = _words("a an the some many several few two three four five his her its their my your this that these those")
CUTS = _words(
    "and or of on in at by to from with without under over above below behind beside between near inside outside around "
    "through across into onto upon against along among amid beyond during while as is are was were be being has have who "
    "which that where there it its very than then like wearing holding featuring"
)
"""Words between two things."""
SETTINGS = _words(
    "masterpiece quality resolution highres absurdres hires detail details detailed intricate realistic photorealistic "
    "hyperrealistic realism ultra hd uhd hdr 4k 8k 16k raw photo photograph photography picture image painting illustration "
    "drawing artwork art render rendering cgi 3d 2d style styled artstation deviantart pixiv trending award winning "
    "beautiful stunning gorgeous amazing best high highly extremely sharp focus bokeh dof depth lighting light soft "
    "dramatic cinematic volumetric ambient composition closeup close-up portrait shot view viewer angle wide lens mm f cinema "
    "anime digital concept professional official wallpaper unreal engine octane score solo 1girl 1boy safe rating "
    "background foreground scene colorful colourful vibrant vivid dynamic perfect good great top rated left right center centre "
    "middle side bottom"
)
"""A phrase of these words alone names no thing in the picture; before a thing they are left out."""
MEDIA = _words(
    "dslr slr film grain grainy fujifilm xt3 kodak nikon canon leica oil canvas watercolor watercolour smile smiling"
)
"""A phrase of these and of those above names none either; before a thing they may be of it: an oil lamp."""
NAMES_IN_ING = _words(
    "king ring wing string spring swing thing building ceiling painting clothing evening morning wedding earring lightning "
    "sling pudding duckling dumpling railing awning paving bedding stocking awning"
)


def things(prompt: str) -> tuple[str, ...]:
    """The things a prompt names, in its order, each once, in lower case; at most 24.

    >>> things("masterpiece, (a red fox:1.3) sitting on snow AND [cat:dog:0.5] with a doughnut <lora:pixel:0.8> BREAK 8k")
    ('red fox', 'snow', 'cat', 'dog', 'doughnut')
    >>> things("best quality, highly detailed")
    ()
    """
    found: dict[str, None] = {}
    for chunk in re.split(r"[,.;!?\n\r、，。]+", _plain(prompt)):
        for words in _cut(chunk.split()):
            found.setdefault(" ".join(words))
    return tuple(found)[:MOST]


def _plain(prompt: str) -> str:
    """The prompt without its syntax: what only switches or weighs is gone, alternatives are parted by commas."""
    text = re.sub(r"<[^<>]*>|__[^\s_][^\n]*?__", ",", prompt)
    text = re.sub(r"\b(?:BREAK|AND|NOT|ADDBASE|ADDCOMM|ADDROW|ADDCOL)\b", ",", text)
    text = re.sub(r"(?<!\w)\d+:\d+(?!\w)", " ", text)  # of a picture's sides
    text = re.sub(r":\s*[-+]?(?:\d+\.?\d*|\.\d+)(?![\w.])", "", text)  # weights and steps
    text = re.sub(r"\\([()\[\]{}])", " ", text)  # brackets that were meant as such
    text = re.sub(r"[:|]|\bdepth of field\b", ",", text)
    return re.sub(r"[()\[\]{}\"“”*_<>/\\#]", " ", text).lower()


def _cut(words: list[str]) -> list[list[str]]:
    """One chunk's things: parted at small words and at verbs after a noun, without articles and praise."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in CUTS or (parts[-1] and _is_verb(word)):
            parts.append([])
        elif word not in ARTICLES:
            parts[-1].append(word.strip("'`-"))
    return [kept for part in parts if (kept := _noun(part))]


def _is_verb(word: str) -> bool:
    return len(word) > 4 and word.endswith("ing") and word not in NAMES_IN_ING


def _noun(words: list[str]) -> list[str]:
    """A thing's own words, or none where they only praise, count or set the scene."""
    own = [word for word in words if word]
    if all(word in SETTINGS | MEDIA or _is_verb(word) or not any(letter.isalpha() for letter in word) for word in own):
        return []
    while own and own[0] in SETTINGS:
        own = own[1:]
    return own[-LONGEST:]
