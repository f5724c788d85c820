"""The part of a prompt that the text encoder does not read. Independent of torch."""

from dataclasses import dataclass

# Lightricks/LTX-2, ltx_core: the context always has this many rows.
MAX_TOKENS = 1024

# Characters quoted from each end of the dropped text.
EXCERPT_CHARS = 40


@dataclass(frozen=True)
class PromptCut:
    """A prompt that is longer than the text encoder reads.

    tokens: the prompt's tokens, with <bos>. dropped: the first and last words of the part that is left out.
    """

    tokens: int
    dropped: str

    def __str__(self) -> str:
        return (
            f"{self.tokens} tokens, and the text encoder reads {MAX_TOKENS}; "
            f'the last {self.tokens - MAX_TOKENS}, "{self.dropped}", are left out'
        )


def surely_fits(prompt: str) -> bool:
    """Return True if the prompt fits for certain, without a tokenizer.

    Apart from <bos>, every token stands for at least one byte.
    """
    return len(prompt) < MAX_TOKENS and len(prompt.encode("utf-8", "surrogatepass")) < MAX_TOKENS


def excerpt(text: str) -> str:
    """Return the first and last words of `text`, or all of it if it is short."""
    words = " ".join(text.strip("\ufffd").split())
    if len(words) <= 2 * EXCERPT_CHARS:
        return words
    first, last = words[:EXCERPT_CHARS], words[-EXCERPT_CHARS:]
    return f"{first.rsplit(' ', 1)[0]} ... {last.split(' ', 1)[-1]}"
