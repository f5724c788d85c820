"""Reduce a language model's answer to one paragraph."""

from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhancer.clean import clean
from enhancer.errors import BadAnswer
from enhancer.sentences import MAX_WORDS, fits
from tests.enhancer.texts import TEXTS

FOX = "A red fox runs through deep snow."


@pytest.mark.parametrize(
    "text",
    [
        FOX,
        f"  {FOX}\n",
        f"Sure! {FOX}",
        f"Sure, here is the enhanced prompt:\n\n{FOX}",
        f"Certainly! Here's a rewritten version of your description: {FOX}",
        f"Here is your enhanced prompt.\n\n{FOX}",
        f"Enhanced prompt: {FOX}",
        f"**Enhanced Prompt:**\n\n{FOX}",
        f"# Prompt\n## The final prompt:\n{FOX}",
        f'"{FOX}"',
        f"“{FOX}”",
        f"'{FOX}'",
        f'"{FOX}',
        f"```\n{FOX}\n```",
        f"```text\n{FOX}\n```",
        f'{{"prompt": "{FOX}"}}',
        f'```json\n{{\n  "prompt": "{FOX}"\n}}\n```',
        f'Sure, here it is: {{"prompt": "{FOX}"}}'.replace("here it is", "here is the prompt"),
        f'{{"prompt": "{FOX}',
        f'{{"style": 3, "rewritten": "{FOX}"}}',
        "A **red** _fox_ runs through `deep` *snow*.",
        "A [red fox](https://example.com) runs through <b>deep</b> snow.",
        f"<think>They want a fox.</think>{FOX}",
        f"{FOX}<|eot_id|>",
        f"<description>\n{FOX}\n</description>",
        "A red\tfox\u200b\ufffd runs \x00 through\x1b deep   snow",
        "A red fox runs through deep snow",
        f"{FOX} {FOX} {FOX}",
        "A red fox runs through deep snow" + " and through deep snow" * 20 + ".",
        f"{FOX}\n\nLet me know if you would like any changes!",
        f"{FOX}\n\nI hope this helps. Feel free to ask for more.",
        f"{FOX} (Note: the camera was left out.)",
    ],
)
def test_only_the_paragraph_is_left(text: str) -> None:
    assert clean(text) in (FOX, FOX.replace("snow.", "snow and through deep snow."))


@pytest.mark.parametrize(
    "text",
    [
        "Great waves crash on the shore, and the gulls cry.",
        "Here the road ends. A dog says nothing.",
        "Sure of itself, the cat crosses the wall.",
        '"Go home!" he says. "Now is the time!"',
        'He shouts "Sure, here is the prompt: take it!" and laughs.',
        "It is very very very cold, and 24 * 2 = 48 bells ring.",
        "A man says 'I don't know, it's late.' and yawns.",
        "Dr. Smith meets J. Doe at St. Mary's. Both laugh...",
        "A wall says „Guten Tag“, another «bonjour», a third 「こんにちは」.",
        "Eine Füchsin läuft. Нет снега. 一只红色的狐狸在深雪中奔跑。",
        "A family 👨‍👩‍👧 walks at 5 o'clock; snow_fall.wav plays.",
    ],
)
def test_prose_is_not_changed(text: str) -> None:
    assert clean(text) == text


def test_a_repeated_sentence_is_dropped() -> None:
    assert clean(f"{FOX} Snow falls. {FOX} The wind howls. Snow falls!") == f"{FOX} Snow falls. The wind howls."


def test_lines_become_sentences() -> None:
    text = "A fox runs\nthrough snow:\n\n- Camera: slow pan\n- Sound: wind,\n  far away"
    assert clean(text) == "A fox runs through snow: Camera: slow pan. Sound: wind, far away."


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (f"{FOX} The camera pans to the", FOX),
        (f'{{"prompt": "{FOX} The camera', FOX),
        (f"{FOX} The camera pans.", f"{FOX} The camera pans."),
        ("A red fox runs through the", "A red fox runs through."),
    ],
)
def test_a_sentence_that_the_model_did_not_finish_is_dropped(text: str, cut: str) -> None:
    assert clean(text, is_cut=True) == cut


def numbered(count: int) -> list[str]:
    """Return different words, short enough that the limit of words is reached before that of tokens."""
    return [f"q{first}{second}" for first in ascii_lowercase for second in ascii_lowercase][:count]


def test_a_long_text_is_cut_at_the_end_of_a_sentence() -> None:
    sentences = [f"Fox number {i} runs over hill number {i}." for i in range(100)]
    words = clean(" ".join(sentences))
    assert words == " ".join(sentences[: MAX_WORDS // 8])


def test_a_long_sentence_is_cut_at_the_end_of_a_word() -> None:
    words = numbered(600)
    assert clean(" ".join(words)) == " ".join(words[:MAX_WORDS]) + "."


def test_quoted_speech_is_not_cut() -> None:
    before = numbered(MAX_WORDS - 2)
    assert clean(" ".join(before) + ' "one two three four" five') == " ".join(before) + "."


@pytest.mark.parametrize("script", ["狐", "л", "𓀀", "7", "a1b2"])
def test_a_text_in_any_script_fits_the_models_tokens(script: str) -> None:
    text = clean("".join(f"{script}{chr(0x4E00 + i)}" for i in range(1000)))
    assert len(text) > 100
    assert fits(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " \n ", "%%%% !!! ????", "...", "ha" * 4000, "no " * 500),
        *("{}", '{"prompt": ""}', '{"a": 1}', "[[[" * 1000, '{"a":' * 1500),
        *("<html><body></body></html>", "```\n```", "<think>well"),
    ],
)
def test_a_text_without_words_is_a_bad_answer(text: str) -> None:
    with pytest.raises(BadAnswer, match="no words"):
        clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot create this content.",
        "Sorry, I am unable to do so.",
        "As an AI model, I do not see.",
    ],
)
def test_a_refusal_is_a_bad_answer(text: str) -> None:
    with pytest.raises(BadAnswer, match="declined"):
        clean(text)


@given(TEXTS, st.booleans())
def test_the_result_is_always_a_paragraph_of_limited_length(text: str, is_cut: bool) -> None:
    try:
        paragraph = clean(text, is_cut)
    except BadAnswer:
        return
    assert paragraph
    assert fits(paragraph)
    assert paragraph == " ".join(paragraph.split())
    assert clean(paragraph) == paragraph
