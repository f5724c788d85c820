"""Words and sentences of one paragraph: where they end, which are repeated, how many fit. A quotation is never broken.

Spaces are single ones here, and lines have been joined.
"""

import re
from collections.abc import Callable, Sequence

from enhancer.quotes import find_quotes

MAX_WORDS = 200
# The text encoder reads 1024 tokens of Gemma's.
MAX_TOKENS = 1000

# Not after a title or an initial, and not where a sentence goes on in small letters.
_SENTENCE_END = re.compile(
    r"""(?:(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\b[A-Z])\.|[.!?…]{2,}|[!?…])["'“”’»›)\]]*(?=\s+[^\sa-z]|\s*$)"""
    r"|[。！？]+[」』”]?"
)
ENDED = re.compile(r"""[.!?…。！？]["'“”‘’«»‹›」』)\]]*$""")

# How often a group of n words may follow itself: "very very very", but not a sentence twice.
_MAX_GROUP = 60
_ALLOWED = {1: 3, 2: 2, 3: 2}

# What a sentence that was cut off may end with, and a whole one does not.
_DANGLING = re.compile(
    r"(?:[ ,;:\-–—]|\s(?:and|or|but|while|as|then|with|of|in|on|to|from|into|the|an?|its|his|her))+$"
)

_EDGES = ".,;:!?…-–—\"'“”„‘’«»()[] "


def token_bound(text: str) -> int:
    """No fewer tokens than Gemma makes of English, and no fewer than it can make of anything else.

    Its tokenizer falls back to single bytes, so there are never more tokens than bytes. A byte each is assumed of all
    but ASCII letters and spaces, where words are whole tokens (four to five letters each) and half a token is ample.
    """
    cheap = sum(char.isascii() and (char.isalpha() or char == " ") for char in text)
    return len(text.encode("utf-8", "replace")) - cheap // 2


def fits(text: str, max_words: int = MAX_WORDS) -> bool:
    return len(text.split()) <= max_words and token_bound(text) <= MAX_TOKENS


def split_sentences(text: str) -> list[str]:
    return _split(text, [match.end() for match in _SENTENCE_END.finditer(text)])


def split_words(text: str) -> list[str]:
    """At spaces; a quotation is one word."""
    return _split(text, [match.start() for match in re.finditer(r"\s+", text)])


def is_ended(text: str) -> bool:
    return ENDED.search(text) is not None


def end_sentence(text: str) -> str:
    """With a full stop, where nothing else ends it."""
    return text if is_ended(text) else _DANGLING.sub("", text) + "."


def drop_repeats(text: str) -> str:
    """Of several sentences alike the first is kept."""
    first: dict[str, str] = {}
    for sentence in split_sentences(text):
        first.setdefault(_key(sentence), sentence)
    return " ".join(first.values())


def drop_loops(text: str) -> str:
    """Of a group of words that follows itself again and again, one is kept."""
    words = split_words(text)
    for size in range(1, _MAX_GROUP + 1):
        words = _collapse(words, size)
    return " ".join(words)


def bound(text: str, max_words: int = MAX_WORDS) -> str:
    """As many sentences as fit; as many words, where that would be less than half of it."""
    if fits(text, max_words):
        return text

    def is_short(part: str) -> bool:
        return fits(end_sentence(part), max_words)

    by_words = _longest(split_words(text), " ", is_short)
    by_sentences = _longest(split_sentences(text), " ", is_short)
    if 2 * len(by_sentences) >= len(by_words) > 0:
        return by_sentences
    return end_sentence(by_words or _longest(text, "", is_short))


def _longest(parts: Sequence[str], joint: str, is_short: Callable[[str], bool]) -> str:
    """The most of them from the beginning on; found by halving, for a text of one part a character."""
    low, high = 0, len(parts)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_short(joint.join(parts[:middle])) else (low, middle - 1)
    return joint.join(parts[:low])


def _split(text: str, ends: Sequence[int]) -> list[str]:
    """At these places, but not within a quotation."""
    inside = [(quote.start, quote.end) for quote in find_quotes(text)]
    places = [end for end in ends if not any(start < end < stop for start, stop in inside)]
    parts = (text[start:end].strip() for start, end in zip([0, *places], [*places, len(text)], strict=True))
    return [part for part in parts if part]


def _collapse(words: list[str], size: int) -> list[str]:
    kept: list[str] = []
    keys = [_key(word) for word in words]
    position = 0
    while position < len(words):
        count = _count_repeats(keys, position, size)
        is_loop = count > _ALLOWED.get(size, 1)
        kept += words[position : position + (size if is_loop else 1)]
        position += size * count if is_loop else 1
    return kept


def _count_repeats(keys: Sequence[str], start: int, size: int) -> int:
    """How often the group at `start` stands there in a row."""
    if start + size >= len(keys) or keys[start] != keys[start + size]:
        return 1  # almost always
    group, count = keys[start : start + size], 1
    while keys[start + count * size : start + (count + 1) * size] == group:
        count += 1
    return count


def _key(text: str) -> str:
    return text.casefold().strip(_EDGES) or text
