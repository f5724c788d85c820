"""Texts as language models and users write them, for tests of properties."""

from hypothesis import strategies as st

# The marks that the code looks for, in any order.
PIECES = [
    *("A red fox runs", ' "Go!" ', '"', "'", "“", "”", "„", "«", "»", ". ", "! ", "...", ": ", ", ", "  ", "(", ")"),
    *("\n", "\n\n", "**", "*", "_", "`", "```", "# ", "- ", "1. ", "> ", "[a](b)", '{"prompt": "', '"}'),
    *("<b>", "<think>", "</think>", "<|eot|>", "\u200b", "\ud800", "\x00", "。", "好"),
    *(
        "Sure, ",
        "Here is the prompt: ",
        "Enhanced prompt: ",
        "Let me know. ",
        "I cannot ",
        "and ",
        "the ",
        "Dr. ",
        "ha",
    ),
]

TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=40).map("".join),
)
