"""Split a paragraph into words and sentences, drop repetitions, and bound its length. Quotations are never broken.

The paragraph has single spaces and no line breaks.
"""

import re
from collections.abc import Callable, Sequence

from enhancer.quotes import find_quotes

MAX_WORDS = 200
# The text encoder reads 1024 tokens of Gemma's.
MAX_TOKENS = 1000

# Not after a title or an initial, nor where a sentence continues in lower case.
_SENTENCE_END = re.compile(
    r"""(?:(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\b[A-Z])\.|[.!?…]{2,}|[!?…])["'“”’»›)\]]*(?=\s+[^\sa-z]|\s*$)"""
    r"|[。！？]+[」』”]?"
)
ENDED = re.compile(r"""[.!?…。！？]["'“”‘’«»‹›」』)\]]*$""")

# How often a group of n words may repeat itself: "very very very", but not a sentence twice.
_MAX_GROUP = 60
_ALLOWED = {1: 3, 2: 2, 3: 2}

# Words that end only a truncated sentence.
_DANGLING = re.compile(
    r"(?:[ ,;:\-–—]|\s(?:and|or|but|while|as|then|with|of|in|on|to|from|into|the|an?|its|his|her))+$"
)

_EDGES = ".,;:!?…-–—\"'“”„‘’«»()[] "


def token_bound(text: str) -> int:
    """Return an upper bound of Gemma's tokens for English, and for any other text.

    Its tokenizer falls back to single bytes, so there are never more tokens than bytes. One per byte is assumed except
    for ASCII letters and spaces, where words are whole tokens (four to five letters each) and half a token is ample.
    """
    cheap = sum(char.isascii() and (char.isalpha() or char == " ") for char in text)
    return len(text.encode("utf-8", "replace")) - cheap // 2


def fits(text: str, max_words: int = MAX_WORDS) -> bool:
    return len(text.split()) <= max_words and token_bound(text) <= MAX_TOKENS


def split_sentences(text: str) -> list[str]:
    return _split(text, [match.end() for match in _SENTENCE_END.finditer(text)])


def split_words(text: str) -> list[str]:
    """Split at spaces; a quotation is one word."""
    return _split(text, [match.start() for match in re.finditer(r"\s+", text)])


def is_ended(text: str) -> bool:
    return ENDED.search(text) is not None


def end_sentence(text: str) -> str:
    """Add a full stop unless the sentence ends with another mark."""
    return text if is_ended(text) else _DANGLING.sub("", text) + "."


def drop_repeats(text: str) -> str:
    """Keep the first of several equal sentences."""
    first: dict[str, str] = {}
    for sentence in split_sentences(text):
        first.setdefault(_key(sentence), sentence)
    return " ".join(first.values())


def drop_loops(text: str) -> str:
    """Keep one of a group of words that repeats itself again and again."""
    words = split_words(text)
    for size in range(1, _MAX_GROUP + 1):
        words = _collapse(words, size)
    return " ".join(words)


def bound(text: str, max_words: int = MAX_WORDS) -> str:
    """Keep as many sentences as fit; or as many words, if that would be less than half."""
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
    """Return the longest beginning that fits, by bisection, because a text may have one part a character."""
    low, high = 0, len(parts)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_short(joint.join(parts[:middle])) else (low, middle - 1)
    return joint.join(parts[:low])


def _split(text: str, ends: Sequence[int]) -> list[str]:
    """Split at these places, but not within a quotation."""
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
    """Count how often the group at `start` is repeated in a row."""
    if start + size >= len(keys) or keys[start] != keys[start + size]:
        return 1  # almost always
    group, count = keys[start : start + size], 1
    while keys[start + count * size : start + (count + 1) * size] == group:
        count += 1
    return count


def _key(text: str) -> str:
    return text.casefold().strip(_EDGES) or text
