"""Clean what a language model wrote to one presentable paragraph.

`clean` repeats its steps until none changes anything, so that it returns its own results unchanged.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

from enhancer.errors import BadAnswer
from enhancer.quotes import MARKS
from enhancer.sentences import bound, drop_loops, drop_repeats, end_sentence, is_ended, split_sentences
from enhancer.wrapping import drop_outer_quotes, unwrap_json

# Far longer than a paragraph, and far shorter than what would take long.
MAX_CHARS = 8000
MAX_PASSES = 10
# Fewer words describe nothing.
MIN_LETTERS = 8

_KIND = (
    "(?:(?:enhanced|rewritten|revised|improved|expanded|detailed|final|full|new|cinematic|video|clip|scene|output|text|"
    "prompt|your|the|my|an?) ){0,5}"
    "(?:prompt|description|version|rewrite|rewriting|paragraph|caption|output|answer|response|result)"
)
_SUBSTITUTIONS: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        # The model's thoughts and control tokens.
        (r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE, " "),
        (r"<\|[^|<>\n]{0,40}\|>", 0, " "),
        (r"</?[A-Za-z][^<>\n]{0,100}>", 0, " "),
        # Markdown.
        (r"^[ \t]*(?:```|~~~)[\w-]{0,20}[ \t]*$", re.MULTILINE, ""),
        (r"```|`", 0, ""),
        (r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE, ""),
        (r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE, ""),
        (r"^[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+", re.MULTILINE, ""),
        (r"^[ \t]*>+[ \t]*", re.MULTILINE, ""),
        (r"!?\[([^\]\n]{0,300})\]\([^)\n]{0,500}\)", 0, r"\1"),
        (r"(\*{1,3})(?=\S)([^*\n]{1,500})(?<=\S)\1", 0, r"\2"),
        (r"(?<!\w)(_{1,3})(?=\S)([^_\n]{1,500})(?<=\S)\1(?!\w)", 0, r"\2"),
        (r"\*{2,}", 0, ""),
        # The same few letters repeated endlessly.
        (r"(\S{1,24}?)\1{11,}", 0, r"\1"),
    )
]
_PREAMBLES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|great|gladly)\s?[,!.:—–]+\s*(?!\S*[\"”])",
        r"(?:here(?:['’]s| is| are)|below is|this is|the following is|i(?:['’]ve| have)) "
        rf"[^.:!?]{{0,80}}?\b{_KIND}\b[^.:!?]{{0,80}}[:.!]\s*",
        rf"{_KIND}\s?[:.]\s*",
    )
]
_POSTAMBLE = re.compile(
    r"\(?(?:let me know|i hope (?:this|that|it)|feel free|would you like|do you want|if you (?:want|would|need|have)|"
    rf"note(?: that)?\b|please let|this {_KIND}|word count)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:i['’]m |i am |we are )?(?:sorry\b|unable to\b)|i (?:cannot|can['’]?t|can not|won['’]?t|will not) |as an ai\b",
    re.IGNORECASE,
)


def clean(text: str, is_cut: bool = False) -> str:
    """Return one paragraph of at most MAX_WORDS words and MAX_TOKENS tokens. Raises BadAnswer if there is none.

    is_cut: the text ends where the model was stopped; its last, unfinished sentence is dropped.
    """
    text = text[:MAX_CHARS]
    if is_cut:
        text = _drop_fragment(text)
    for _ in range(MAX_PASSES):
        cleaned = _clean_once(text)
        if cleaned == text:
            return _validated(text)
        text = cleaned
    raise BadAnswer("the rewritten prompt is not prose")


def plain(text: str) -> str:
    """Return one line without anything that does not print."""
    return " ".join(_printable(text).split())


def _clean_once(text: str) -> str:
    for step in _STEPS:
        text = step(text)
    return end_sentence(text) if text else text


def _printable(text: str) -> str:
    """Unify line breaks; keep joiners, which are part of words and emoji, and drop other hidden characters."""
    return "".join("\n" if char in "\r\v\f\x85\u2028\u2029" else _visible(char) for char in text)


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cc":
        return char if char in "\n\t" else " "
    is_hidden = category[0] == "C" and char not in "\u200c\u200d"
    return "" if is_hidden or char == "\ufffd" else char


def _substitute(text: str) -> str:
    for pattern, replacement in _SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    return text


def _join_lines(text: str) -> str:
    """Join lines; a line that begins with a capital letter, as list items do, becomes its own sentence."""
    joined = ""
    for line in filter(None, (" ".join(line.split()) for line in text.split("\n"))):
        if joined and line[0].isupper() and not is_ended(joined) and joined[-1] not in ",;:":
            joined += "."
        joined = f"{joined} {line}" if joined else line
    return joined


def _drop_preamble(text: str) -> str:
    for pattern in _PREAMBLES:
        if match := pattern.match(text):
            text = text[match.end() :]
    return text


def _drop_postamble(text: str) -> str:
    sentences = split_sentences(text)
    while sentences and _POSTAMBLE.match(sentences[-1]):
        sentences.pop()
    return " ".join(sentences)


def _drop_fragment(text: str) -> str:
    sentences = split_sentences(text)
    if len(sentences) > 1 and not is_ended(text.rstrip()):
        return text[: text.rindex(sentences[-1])]
    return text


def _validated(text: str) -> str:
    letters = sum(map(str.isalnum, text))
    if letters < MIN_LETTERS or 2 * letters < len(text.replace(" ", "").strip(MARKS)):
        raise BadAnswer("the rewritten prompt has no words")
    if _REFUSAL.match(text):
        raise BadAnswer("the language model declined to rewrite the prompt")
    return text


_STEPS: Sequence[Callable[[str], str]] = (
    _printable,
    _substitute,
    _join_lines,
    _drop_preamble,
    unwrap_json,
    drop_outer_quotes,
    drop_loops,
    drop_repeats,
    _drop_postamble,
    bound,
)
