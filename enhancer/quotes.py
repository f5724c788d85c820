"""Find what a text quotes, and which of that another text has lost."""

import re
from dataclasses import dataclass

# A speech of a whole clip of 20 s is about 60 words. Longer, the marks are more likely none of a pair.
MAX_CHARS = 500

# Where an apostrophe may stand instead: at a word's start and end, and only after a colon or a verb of speech, or
# around what ends like a sentence.
_SINGLE = r"(?<!\w)'(?=\S)(?:[^']|'(?=\w)){1,500}'(?!\w)|‘(?=\S)(?:[^‘’]|’(?=\w)){1,500}’(?!\w)"
_ALWAYS = (
    r'(?<!\w)"(?=\S)[^"]{1,500}"',  # not 27" and 32"
    "“[^“”]{1,500}”",
    "„[^„“”]{1,500}[“”]",
    "«[^«»]{1,500}»",
    "»[^«»]{1,500}«",
    "‹[^‹›]{1,500}›",
    "‚[^‚‘’]{1,500}[‘’]",
    "「[^「」]{1,500}」",
    "『[^『』]{1,500}』",
)
_QUOTE = re.compile(f"(?P<single>{_SINGLE})|{'|'.join(_ALWAYS)}")
_SPEAKS = re.compile(
    r"(?:[:,]|\b(?:says?|said|saying|asks?|asked|shouts?|shouted|yells?|whispers?|whispered|cries|cried|calls?|mutters?|"
    r"replies|answers?|sings?|singing|reads?|reading|named|titled|text|words?))\s*$",
    re.IGNORECASE,
)
_SENTENCE_LIKE = re.compile(r"[.!?,…]$")

MARKS = "\"'“”„«»‹›‚‘’「」『』"
_EDGES = ".,;:!?…-–— "

# So many words in a row are no coincidence, even without marks and in other capitals.
MANY_WORDS = 3


@dataclass(frozen=True)
class Quote:
    """A quotation. `raw` is text[start:end], with its marks."""

    start: int
    end: int
    raw: str

    @property
    def words(self) -> str:
        return self.raw[1:-1].strip()


def find_quotes(text: str) -> tuple[Quote, ...]:
    """Return the quotations from left to right; they are not nested."""
    quotes: list[Quote] = []
    position = 0
    while match := _QUOTE.search(text, position):
        quote = Quote(match.start(), match.end(), match[0])
        if any(map(str.isalnum, quote.words)) and (match["single"] is None or _is_speech(text, quote)):
            quotes.append(quote)
            position = quote.end
        else:
            position = quote.start + 1
    return tuple(quotes)


def _is_speech(text: str, quote: Quote) -> bool:
    before = text[max(0, quote.start - 20) : quote.start]
    return bool(_SPEAKS.search(before) or _SENTENCE_LIKE.search(quote.words))


def lost_quotes(original: str, rewrite: str) -> list[Quote]:
    """Return the quotations of `original` whose words `rewrite` does not have.

    Words are the same whatever marks and punctuation stand around them. A short quotation is not the same word in
    passing: "Stop!" is lost where a car comes to a stop.
    """
    text = _straight(rewrite)
    return [quote for quote in find_quotes(original) if not _has(text, _straight(quote.words).strip(_EDGES + MARKS))]


def _has(text: str, words: str) -> bool:
    exact, any_case = (re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", flags) for flags in (0, re.IGNORECASE))
    if exact.search(text):
        return True
    found = list(any_case.finditer(text))
    return bool(found) and (len(words.split()) >= MANY_WORDS or any(_is_marked(text, match) for match in found))


def _is_marked(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()].rstrip(_EDGES)[-1:], text[match.end() :].lstrip(_EDGES)[:1]
    return any(mark != "" and mark in MARKS for mark in (before, after))


def _straight(text: str) -> str:
    return " ".join(re.sub("[’‘ʼ]", "'", text).split())
