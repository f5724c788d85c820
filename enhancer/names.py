"""Which words of a description are names: capital letters where grammar asks for none. Knows nothing of rewriting."""

import re

from enhancer.quotes import find_quotes

_WORD = re.compile(r"[^\W\d_][\w’'-]*")
# Between two parts of one name, and nowhere at its ends.
_PARTICLES = {"of", "de", "da", "di", "del", "van", "von", "la", "le", "du"}
_OPENS_SENTENCE = re.compile(r"""(?:^|[.!?:;…\n(\[/|*•"“„«-])\s*$""")
_POSSESSIVE = re.compile(r"['’]s?$")

# In capitals without being anybody.
_NO_NAMES = {
    *(
        "I",
        "I'm",
        "I'll",
        "I've",
        "I'd",
        "OK",
        "TV",
        "AI",
        "HD",
        "UHD",
        "HDR",
        "POV",
        "CGI",
        "VFX",
        "DSLR",
        "IMAX",
        "ASMR",
    ),
    *(
        "He",
        "She",
        "It",
        "They",
        "We",
        "You",
        "His",
        "Her",
        "Its",
        "Their",
        "Our",
        "Your",
        "This",
        "That",
        "Then",
        "Now",
    ),
    *("LED", "FPS", "RGB", "Camera", "Audio", "Sound", "Music", "Lighting", "Style", "Scene", "Shot", "The", "A", "An"),
}
# Two of these are German, whose every noun has a capital letter: only what has two in a row is a name there.
_GERMAN = {
    "und",
    "der",
    "das",
    "ein",
    "eine",
    "einen",
    "einem",
    "einer",
    "dem",
    "ist",
    "auf",
    "mit",
    "im",
    "durch",
    "für",
}
# A headline has as many, and says as little by it.
MAX_SHARE, MIN_WORDS = 0.6, 3


def find_names(text: str) -> tuple[str, ...]:
    """Each once, as it is spelled. None in what stands in quotes."""
    text = _without_quotes(text)
    words = list(_WORD.finditer(text))
    inner = [word for word in words if not _OPENS_SENTENCE.search(text[max(0, word.start() - 3) : word.start()])]
    if len(inner) >= MIN_WORDS and sum(map(_is_capital, inner)) > MAX_SHARE * len(inner):
        return ()
    least = 2 if len(_GERMAN & {word[0] for word in words}) >= 2 else 1
    groups = (group for group in _group(text, inner) if sum(map(_is_capital, group)) >= least)
    names = (_POSSESSIVE.sub("", text[group[0].start() : group[-1].end()]) for group in groups)
    return tuple(dict.fromkeys(name for name in names if len(name) > 1))


def _group(text: str, words: list[re.Match[str]]) -> list[list[re.Match[str]]]:
    """Words of one name: capitals with a space between them, or with a particle."""
    groups: list[list[re.Match[str]]] = []
    for word in filter(_is_capital, words):
        joint = text[groups[-1][-1].end() : word.start()] if groups else ""
        if groups and (joint == " " or (joint.strip() in _PARTICLES and joint.count(" ") == 2)):
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _is_capital(word: re.Match[str]) -> bool:
    return word[0][0].isupper() and word[0].replace("’", "'") not in _NO_NAMES


def _without_quotes(text: str) -> str:
    """What follows a quotation goes on with its sentence."""
    for quote in reversed(find_quotes(text)):
        text = f"{text[: quote.start]},{text[quote.end :]}"
    return text
