"""Rewrite prompts with a language model.

    enhancer = Enhancer(Sglang(SglangOptions("http://127.0.0.1:30000")), Captioner(CaptionerOptions(FLORENCE)))
    enhancement = await enhancer.enhance(EnhanceRequest("a red fox", Mode.I2V, Path("first.png")))
    await enhancer.aclose()

`enhance` is the only entry: Florence-2 describes the first image (`captioner`, in its own process), a language model
rewrites the prompt (`sglang`, over HTTP), `clean` tidies the answer, and `quotes` checks that it keeps what the user
put in quotation marks. If anything fails, the prompt is used unchanged and a note says why. Equal requests share one
rewrite; a language model that is down is left alone for a while (`breaker`). It may run elsewhere, or as a managed
process (`sglang_process`) that `sglang_install` installs.
"""
