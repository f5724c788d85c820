"""How much of a prompt the text encoder reads, and what it leaves out. Free of torch."""

from dataclasses import dataclass

# Lightricks/LTX-2, ltx_core: the context has this many rows whatever the prompt.
MAX_TOKENS = 1024

# Of the dropped text, at each end.
EXCERPT_CHARS = 40


@dataclass(frozen=True)
class PromptCut:
    """A prompt that is longer than the text encoder reads.

    tokens: of the prompt, with its <bos>. dropped: the first and the last words of what is left out.
    """

    tokens: int
    dropped: str

    def __str__(self) -> str:
        return (
            f"{self.tokens} tokens, and the text encoder reads {MAX_TOKENS}; "
            f'the last {self.tokens - MAX_TOKENS}, "{self.dropped}", are left out'
        )


def surely_fits(prompt: str) -> bool:
    """Tell without a tokenizer: besides <bos>, no token stands for less than a byte."""
    return len(prompt) < MAX_TOKENS and len(prompt.encode("utf-8", "surrogatepass")) < MAX_TOKENS


def excerpt(text: str) -> str:
    """Return the first and the last words of `text`; all of it where it is short."""
    words = " ".join(text.strip("\ufffd").split())
    if len(words) <= 2 * EXCERPT_CHARS:
        return words
    first, last = words[:EXCERPT_CHARS], words[-EXCERPT_CHARS:]
    return f"{first.rsplit(' ', 1)[0]} ... {last.split(' ', 1)[-1]}"
