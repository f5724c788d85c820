"""Keep the keys and values of a prompt from step to step."""

from collections import OrderedDict
from collections.abc import Hashable

from pipelines.ltx.transformer.block import PromptKeysValues

# Of the video and of the sound.
Sigmas = tuple[float, float]


class PromptKeys:
    """Keeps what the transformer computes from the last prompt, by both sigmas, within a limit of memory.

    Prompt and sigmas determine it, and the negative prompt if there is one. Stage 2 repeats three sigmas of stage 1;
    another clip of the prompt repeats all.
    """

    def __init__(self) -> None:
        self._source: Hashable = None
        self._by_sigma: OrderedDict[Sigmas, list[PromptKeysValues]] = OrderedDict()
        self._loras_key: Hashable = ()
        self._limit_bytes = self._size_bytes = 0

    @property
    def kept_bytes(self) -> int:
        return len(self._by_sigma) * self._size_bytes

    def limit(self, limit_bytes: int) -> None:
        """Keep no more than this from now on."""
        self._limit_bytes = limit_bytes
        self._drop_to(limit_bytes)

    def use_loras(self, key: Hashable) -> None:
        """Drop what was computed with other LoRAs. key: identifies those that the transformer has now."""
        if key != self._loras_key:
            self._by_sigma.clear()
        self._loras_key = key

    def at(self, source: Hashable, sigmas: Sigmas, size_bytes: int) -> list[PromptKeysValues] | None:
        """Return what `Transformer.forward` takes at these sigmas; None if there is no room for it.

        source: the contexts that it is computed from. size_bytes: the size at one pair of sigmas. The one that was
        added first is dropped first.
        """
        if source != self._source:
            self._by_sigma.clear()
        self._source, self._size_bytes = source, size_bytes
        if sigmas not in self._by_sigma:
            self._drop_to(self._limit_bytes - size_bytes)
            if size_bytes > self._limit_bytes:
                return None
            self._by_sigma[sigmas] = []
        return self._by_sigma[sigmas]

    def _drop_to(self, limit_bytes: int) -> None:
        while self._by_sigma and self.kept_bytes > limit_bytes:
            self._by_sigma.popitem(last=False)
