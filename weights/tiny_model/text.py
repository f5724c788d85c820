"""The text side: a tokenizer that knows words, a Gemma 3 that passes its embeddings on, and connectors that do too.

An embedding is a row of fields. One of them fills every row up to the same length, so that no norm on the way changes
anything.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch

from weights.names import MODEL
from weights.tiny_config import TEXT_WIDTH, WIDTH
from weights.tiny_model.sound import TONES_HZ
from weights.tiny_model.words import COLOURS, DEFAULT_COLOURS, DEFAULT_TONE_HZ, SCENES, SOUNDS, Colour

# The entries of a key in which a word's classes are.
CLASS_KEYS = slice(0, 40)


class Fields:
    """Places in an embedding."""

    COLOUR_WORD, SCENE_WORD, PLAIN_WORD, SOUND_WORD, SCENE_SOUND = range(5)
    CLASSES = 5
    COLOURS = slice(5, 14)  # three of RGB in -1 .. 1
    CODES = slice(14, 18)  # 1 or -1: in which field of noise a word prevails over others
    TONES = slice(18, 50)
    FILLER = TEXT_WIDTH - 1


# By how much attention prefers a class to none of it.
COLOUR_CLASSES = {Fields.COLOUR_WORD: 30.0, Fields.SCENE_WORD: 17.0, Fields.PLAIN_WORD: 6.0}
SOUND_CLASSES = {Fields.SOUND_WORD: 30.0, Fields.SCENE_SOUND: 17.0}

# Night prevails over what it lies upon.
NIGHT_RANK = 1.3

# The length of a row after the connectors' norm.
LENGTH = math.sqrt(WIDTH)
SHADES = (0.7, 1.2)  # a colour word's second and third colour: darker, lighter


def spellings(words: str) -> Iterator[str]:
    """Yield the tokens of a word in the middle and at the beginning of a text, small, capitalised and in capitals."""
    for word in words.split():
        for spelling in dict.fromkeys((word, word.capitalize(), word.upper())):
            yield spelling
            yield f"\u0120{spelling}"  # how byte-level tokenizers write a blank


def known_words() -> dict[str, torch.Tensor]:
    """Return the fields of every token that is a word, in the order of the vocabulary."""
    rows: dict[str, torch.Tensor] = {}
    for words, colour in COLOURS.items():
        shades = [_scaled(colour, shade) for shade in SHADES]
        rows |= dict.fromkeys(spellings(words), _row(Fields.COLOUR_WORD, [colour, *shades], len(rows)))
    for words, (*colours, tone) in SCENES.items():
        row = _row(Fields.SCENE_WORD, colours, len(rows), tone)
        row[Fields.SCENE_WORD] = NIGHT_RANK if "night" in words.split() else 1
        row[Fields.SCENE_SOUND] = 1
        rows |= dict.fromkeys(spellings(words), row)
    for words, tone in SOUNDS.items():
        rows |= dict.fromkeys(spellings(words), _row(Fields.SOUND_WORD, plain_colours(tone), len(rows), tone))
    for tone in TONES_HZ:  # "a tone of 500 Hz"
        rows |= dict.fromkeys(spellings(str(tone)), _row(Fields.SOUND_WORD, plain_colours(tone), tone, tone))
    return rows


def plain_row(index: int) -> torch.Tensor:
    """Return the fields of a token that is a letter."""
    return _row(Fields.PLAIN_WORD, plain_colours(index), index)


def register_rows(count: int) -> torch.Tensor:
    """Return what fills the context up to its 1024 rows."""
    rows = torch.stack([_row(Fields.PLAIN_WORD, plain_colours(index), index) for index in range(count)])
    rows[:, Fields.PLAIN_WORD] = 0
    return torch.nn.functional.pad(filled(rows), (0, WIDTH - TEXT_WIDTH))


def plain_colours(index: int) -> list[Colour]:
    return [DEFAULT_COLOURS[(index * step + step) % len(DEFAULT_COLOURS)] for step in (1, 3, 5)]


def filled(rows: torch.Tensor) -> torch.Tensor:
    """Give rows their length."""
    rows = rows.clone()
    rows[..., Fields.FILLER] = (LENGTH**2 - rows.square().sum(-1)).sqrt()
    return rows


def _row(field: int, colours: list[Colour], index: int, tone: int = DEFAULT_TONE_HZ) -> torch.Tensor:
    row = torch.zeros(TEXT_WIDTH)
    row[field] = 1
    row[Fields.COLOURS] = torch.tensor(colours).flatten() / 127.5 - 1
    codes = torch.randn(Fields.CODES.stop - Fields.CODES.start, generator=torch.Generator().manual_seed(index))
    row[Fields.CODES] = codes.sign()
    row[Fields.TONES.start + TONES_HZ.index(tone)] = 1
    return row


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(value * factor)) for value in colour)
    return red, green, blue


@torch.no_grad()
def set_gemma(model: Any, tokenizer: Any) -> None:
    """Write the fields into the embedding; no layer adds to them."""
    language_model = model.model.language_model
    vocabulary = tokenizer.get_vocab()
    rows = torch.stack([plain_row(index) for index in range(len(vocabulary))])
    for word, row in known_words().items():
        rows[vocabulary[word]] = row
    language_model.embed_tokens.weight[: len(rows)] = filled(rows) * math.sqrt(TEXT_WIDTH / WIDTH)
    for layer in language_model.layers:
        layer.post_attention_layernorm.weight.fill_(-1)  # Gemma multiplies by 1 + weight
        layer.post_feedforward_layernorm.weight.fill_(-1)


def set_connectors(tensors: dict[str, torch.Tensor], layers: int) -> None:
    """Take the embedding out of the text encoder's `layers` + 1 hidden states, and pass it on to both streams."""
    for stream in ("video", "audio"):
        projection = tensors[f"text_embedding_projection.{stream}_aggregate_embed.weight"]
        projection.zero_()
        field = torch.arange(TEXT_WIDTH)
        projection[field, field * (layers + 1)] = 1
        tensors[f"text_embedding_projection.{stream}_aggregate_embed.bias"].zero_()
        prefix = f"{MODEL}{stream}_embeddings_connector."
        registers = tensors[f"{prefix}learnable_registers"]
        registers.copy_(register_rows(len(registers)))
        for name, tensor in tensors.items():
            if name.startswith(prefix) and (".to_out.0." in name or ".ff.net.2." in name):
                tensor.zero_()
