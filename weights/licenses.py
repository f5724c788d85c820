"""The licences of the models that this server runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class License:
    """The licence of a model: `name` and `url` say which, `terms` what nobody should overlook in it."""

    model: str
    name: str
    url: str
    terms: str = ""

    def __str__(self) -> str:
        """Return one line for the terminal."""
        terms = f": {self.terms}" if self.terms else ""
        return f"{self.model} is under the {self.name}, {self.url}{terms}"


LTX_COMMUNITY = License(
    "LTX-2.3",
    "LTX-2 Community License Agreement of 5 January 2026",
    "https://github.com/Lightricks/LTX-2/blob/main/LICENSE",
    "entities with annual revenues of at least 10 million dollars need a paid licence from Lightricks",
)

GEMMA_TERMS = License("Gemma 3", "Gemma Terms of Use", "https://ai.google.dev/gemma/terms")

LLAMA_COMMUNITY = License("Llama 3.2", "Llama 3.2 Community License", "https://www.llama.com/llama3_2/license/")

FLORENCE_MIT = License(
    "Florence-2", "MIT License", "https://huggingface.co/microsoft/Florence-2-large/blob/main/LICENSE"
)

VIDEO_LICENSES = (LTX_COMMUNITY, GEMMA_TERMS)
"""What every published set of weights is under."""

ENHANCER_LICENSES = (LLAMA_COMMUNITY, FLORENCE_MIT)
