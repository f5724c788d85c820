"""What the user put in quotes or named is in the rewrite, word for word. Pure; knows no language model.

Words are the same whatever marks stand around them, whatever sort of apostrophe is in them, and in capitals or not. A
quotation is another thing than the same word in passing: "Stop!" is not there because a car comes to a stop.
"""

import re
from collections.abc import Sequence

from enhancer.errors import BadAnswer
from enhancer.names import find_names
from enhancer.quotes import MARKS, Quote, find_quotes
from enhancer.sentences import fits, is_ended

# With the 200 words that `clean` leaves; 1024 tokens are read.
MAX_WORDS = 280
MAX_TOKENS = 1000

# Of what was asked for, more than this and more than half is missing: the rewrite tells something else.
FORGIVEN = 2

# So many words in a row are no coincidence, even without marks.
MANY_WORDS = 3

_EDGES = ".,;:!?…-–— "
_IS_WRITTEN = re.compile(
    r"\b(?:signs?|signboard|texts?|titles?|titled|words?|letters|lettering|labels?|labelled|captions?|logo|banner|poster|"
    r"reads?|reading|written|inscription|inscribed|screen|shirt|wall|billboard|neon)\b[^.!?\"'“”„«»‘’]{0,30}$",
    re.IGNORECASE,
)


def preserve(original: str, rewrite: str) -> str:
    """The rewrite, with what it lost said at its end. Raises BadAnswer when that is too much."""
    quotes, names = _distinct(find_quotes(original)), find_names(original)
    lost_quotes = [quote for quote in quotes if not has_quote(rewrite, quote)]
    lost_names = [name for name in names if not _has_name(rewrite, name)]
    for lost, wanted in ((lost_quotes, quotes), (lost_names, names)):
        if len(lost) > max(FORGIVEN, len(wanted) // 2):
            raise BadAnswer("the rewritten prompt leaves out too much of the original")
    added = [_say(original, quote) for quote in lost_quotes] + ([_feature(lost_names)] if lost_names else [])
    text = " ".join([rewrite, *added])
    if added and not fits(text, MAX_WORDS, MAX_TOKENS):
        raise BadAnswer("the rewritten prompt leaves no room for the words in quotes")
    return text


def has_quote(text: str, quote: Quote) -> bool:
    words = _fold(quote.words).strip(_EDGES + MARKS)
    folded = _fold(text)
    found = list(re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", folded))
    return bool(found) and (len(words.split()) >= MANY_WORDS or any(_is_marked(folded, match) for match in found))


def _is_marked(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()].rstrip(_EDGES)[-1:], text[match.end() :].lstrip(_EDGES)[:1]
    return (before != "" and before in _FOLDED_MARKS) or (after != "" and after in _FOLDED_MARKS)


def _has_name(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(_fold(name))}(?!\w)", _fold(text)) is not None


def _say(original: str, quote: Quote) -> str:
    stop = "" if is_ended(quote.raw) else "."
    if _IS_WRITTEN.search(original[max(0, quote.start - 60) : quote.start]):
        return f"Plainly visible are the words: {quote.raw}{stop}"
    return f"A voice says: {quote.raw}{stop}"


def _feature(names: Sequence[str]) -> str:
    *others, last = names
    return f"The scene features {', '.join(others)} and {last}." if others else f"The scene features {last}."


def _distinct(quotes: Sequence[Quote]) -> list[Quote]:
    return list({_fold(quote.words).strip(_EDGES + MARKS): quote for quote in reversed(quotes)}.values())[::-1]


def _straight(text: str) -> str:
    return " ".join(re.sub("[’‘ʼ]", "'", text).split())


def _fold(text: str) -> str:
    return _straight(text).casefold()


_FOLDED_MARKS = _fold(MARKS)
