"""Where a text quotes somebody or something. Knows nothing of what becomes of it."""

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


@dataclass(frozen=True)
class Quote:
    """`raw` is text[start:end], with its marks."""

    start: int
    end: int
    raw: str

    @property
    def words(self) -> str:
        return self.raw[1:-1].strip()


def find_quotes(text: str) -> tuple[Quote, ...]:
    """From left to right; one does not lie in another."""
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
