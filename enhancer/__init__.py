"""Prompt enhancement: words in, words out. Knows no pipeline, no settings and no HTTP server; imports no torch.

    enhancer = Enhancer(Sglang(SglangOptions("http://127.0.0.1:30000")), Captioner(CaptionerOptions(FLORENCE)))
    enhancement = await enhancer.enhance(EnhanceRequest("a red fox", Mode.I2V, Path("first.png")))
    await enhancer.aclose()

`enhance` is the only way in: a caption of the first image from Florence-2 (`captioner`, a process of its own), a
rewrite by a language model (`sglang`, over HTTP), made presentable (`clean`), and a check that it still says what the
user had put in quotation marks (`quotes`). Where anything fails, the prompt is used as it came and a note says why.
Two requests that are alike share one rewrite; a language model that is down is left alone for a while (`breaker`).
The server that it speaks to may be anybody's, or a process of ours (`sglang_process`), installed by `sglang_install`.
"""
