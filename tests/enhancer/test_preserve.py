"""What the user put in quotes or named is in the rewrite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhancer.clean import clean
from enhancer.errors import BadAnswer
from enhancer.names import find_names
from enhancer.preserve import MAX_TOKENS, MAX_WORDS, has_quote, preserve
from enhancer.quotes import find_quotes
from enhancer.sentences import fits
from tests.enhancer.texts import TEXTS

REWRITE = "A man walks along a quiet street and talks to a dog."


@pytest.mark.parametrize(
    "quote",
    [
        *('"Come here!"', "“Come here!”", "„Komm her!“", "„Komm her!”", "«Viens ici !»", "»Komm her!«"),
        *("'Come here!'", "‘Come here!’", "「おいで」", '"Иди сюда"', "'don't go'", "‘don’t go’"),
    ],
)
def test_lost_speech_is_said_at_the_end(quote: str) -> None:
    stop = "" if "!" in quote else "."
    assert preserve(f"a man says {quote} to his dog", REWRITE) == f"{REWRITE} A voice says: {quote}{stop}"


@pytest.mark.parametrize("quote", ['"OPEN"', "“no exit”"])
def test_lost_writing_is_shown(quote: str) -> None:
    kept = preserve(f"a neon sign that reads {quote} blinks", REWRITE)
    assert kept == f"{REWRITE} Plainly visible are the words: {quote}."


@pytest.mark.parametrize(
    ("original", "rewrite"),
    [
        ('He says "Stop!"', "A man shouts “Stop!” and runs."),
        ("He says „stop“", "A man shouts 'Stop, Rex!' and runs."),
        ('She says "it’s late"', "It is dark. She says 'It's late.' and yawns."),
        ('A voice: "we are all here now"', "A voice says that we are all here now."),
        ('He says "yes" and then "yes"', 'He says "Yes!" twice.'),
        ('He says " far   away "', 'He says "far away".'),
        ('a 27" monitor beside a 32" one', REWRITE),
        ("a so-called 'art deco' lamp", REWRITE),
        ("the dog's bowl and the cats' toys in the '90s", REWRITE),
        ('he says "..."', REWRITE),
    ],
)
def test_what_is_there_is_not_said_again(original: str, rewrite: str) -> None:
    assert preserve(original, rewrite) == rewrite


def test_a_word_in_passing_is_no_speech() -> None:
    rewrite = "The car comes to a stop."
    assert preserve('a man shouts "Stop!"', rewrite) == f'{rewrite} A voice says: "Stop!"'


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("a man named Bob Dylan meets Anna's dog in Paris", ("Bob Dylan", "Anna", "Paris")),
        ("The painter Vincent van Gogh looks at the Statue of Liberty.", ("Vincent van Gogh", "Statue of Liberty")),
        ("Then Жанна and Łukasz laugh, while Émile-Zoë sings", ("Жанна", "Łukasz", "Émile-Zoë")),
        ("A fox runs. Snow falls. Camera: Slow pan", ()),
        ("I think I'm late, OK? The TV and the POV shot are in HD", ()),
        ("A Red Fox Runs Through Deep Snow", ()),
        ("A LOUD MAN SHOUTS AT THE SEA", ()),
        ("Ein Hund läuft mit Angela Merkel durch den Schnee und bellt", ("Angela Merkel",)),
        ('a man says "Hello Bob" to nobody', ()),
        ('a man says: "The sea gives." He turns to Bob. "Go!" Then they leave. <b>You wave', ("Bob",)),
    ],
)
def test_names_are_capitals_where_none_are_due(prompt: str, names: tuple[str, ...]) -> None:
    assert find_names(prompt) == names


def test_lost_names_are_named() -> None:
    assert preserve("an old man called Bob walks with a dog", REWRITE) == f"{REWRITE} The scene features Bob."
    kept = preserve("an old man called Bob walks with Rex", REWRITE)
    assert kept == f"{REWRITE} The scene features Bob and Rex."
    for kept in ("Bob’s dog barks.", "BOB walks."):
        assert preserve("an old man called Bob walks with a dog", kept) == kept


@pytest.mark.parametrize(
    "original",
    [
        "a meal that Ann, Bob and Cleo share",
        'they say "one", "two", "three" and "four"',
        f'he says "{"blah blub " * 45}"',
    ],
)
def test_a_rewrite_that_lost_too_much_is_no_answer(original: str) -> None:
    long_rewrite = clean(" ".join(f"word{i}" for i in range(500)))
    with pytest.raises(BadAnswer, match="leaves"):
        preserve(original, long_rewrite)


WORDS = st.lists(st.text("abcXYZéжש字", min_size=1, max_size=8), min_size=1, max_size=12).map(" ".join)
MARKS = st.sampled_from(['""', "“”", "„“", "«»", "「」", "‘’", "''"])


@given(st.lists(st.tuples(MARKS, WORDS), min_size=1, max_size=4), TEXTS)
def test_quoted_speech_survives_every_rewrite(speeches: list[tuple[str, str]], answer: str) -> None:
    original = "; ".join(f"a man says: {marks[0]}{words}{marks[1]}" for marks, words in speeches)
    quotes = find_quotes(original)
    assert [quote.words for quote in quotes] == [words for _, words in speeches]
    try:
        kept = preserve(original, clean(f"A man speaks on the street. {answer}"))
    except BadAnswer:
        return
    assert all(has_quote(kept, quote) for quote in quotes)
    assert all(" ".join(quote.words.split()).casefold() in kept.casefold() for quote in quotes)
    assert fits(kept, MAX_WORDS, MAX_TOKENS)
    assert preserve(original, kept) == kept


@given(TEXTS, TEXTS)
def test_any_two_texts_give_a_prompt_or_no_answer(original: str, answer: str) -> None:
    try:
        kept = preserve(original, clean(answer))
    except BadAnswer:
        return
    assert preserve(original, kept) == kept
