"""Find the quotations of a prompt that its rewrite omits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhancer.quotes import find_quotes, lost_quotes
from tests.enhancer.texts import TEXTS

REWRITE = "A man walks along a quiet street and talks to a dog."


@pytest.mark.parametrize(
    "quote",
    [
        *('"Come here!"', "“Come here!”", "„Komm her!“", "„Komm her!”", "«Viens ici !»", "»Komm her!«"),
        *("'Come here!'", "‘Come here!’", "「おいで」", '"Иди сюда"', "'don't go'", "‘don’t go’", '"OPEN"'),
    ],
)
def test_a_quotation_that_the_rewrite_omits_is_found(quote: str) -> None:
    assert [lost.raw for lost in lost_quotes(f"a man says {quote} to his dog", REWRITE)] == [quote]
    assert lost_quotes(f"a man says {quote} to his dog", f"{REWRITE} He says {quote}") == []


@pytest.mark.parametrize(
    ("original", "rewrite"),
    [
        ('He says "Stop!"', "A man shouts “Stop!” and runs."),
        ("He says „stop“", "A man shouts 'Stop, Rex!' and runs."),
        ('She says "it’s late"', "It is dark. She says 'It's late.' and yawns."),
        ('A voice: "we are all here now"', "A voice says that We are all here now."),
        ('He says "yes" and then "yes"', 'He says "Yes!" twice.'),
        ('He says " far   away "', 'He says "far away".'),
        ("a sign that reads 'OPEN'", "The word OPEN glows on a sign."),
        ('a 27" monitor beside a 32" one', REWRITE),
        ("a so-called 'art deco' lamp", REWRITE),
        ("the dog's bowl and the cats' toys in the '90s", REWRITE),
        ('he says "..."', REWRITE),
    ],
)
def test_a_quotation_that_the_rewrite_has_is_not_reported(original: str, rewrite: str) -> None:
    assert lost_quotes(original, rewrite) == []


def test_the_same_word_outside_a_quotation_does_not_count() -> None:
    assert lost_quotes('a man shouts "Stop!"', "The car comes to a stop.")


WORDS = st.lists(st.text("abcXYZéжש字", min_size=1, max_size=8), min_size=1, max_size=12).map(" ".join)
MARKS = st.sampled_from(['""', "“”", "„“", "«»", "「」", "‘’", "''"])


@given(st.lists(st.tuples(MARKS, WORDS), min_size=1, max_size=4))
def test_quotations_are_found_in_every_pair_of_marks(speeches: list[tuple[str, str]]) -> None:
    original = "; ".join(f"a man says: {marks[0]}{words}{marks[1]}" for marks, words in speeches)

    assert [quote.words for quote in find_quotes(original)] == [words for _, words in speeches]
    assert lost_quotes(original, original) == []


@given(TEXTS)
def test_a_text_omits_none_of_its_own_quotations(text: str) -> None:
    assert lost_quotes(text, text) == []
