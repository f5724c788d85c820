"""LTX-2.3's transformer: a stream of video tokens and one of sound, which attend to the prompt and to each other.

To be read in this order: `config`, `linear`, `adaln` (adaptive layer norm), `rope` (rotary position embedding),
`guidance`, `attention`, `feed_forward`, `block`, `model`. The files are those of the reference, Lightricks/LTX-2's
ltx_core/model/transformer, except for `linear` and `guidance`; the parameters have the names of the published
checkpoint.

Letters of shapes: F frames of P tokens each; T = F * P; S rows of the prompt; H heads of width d; D the width of a
stream. A *frame* is a run of tokens with one noise level: a latent frame of the video, an image that conditions it, or
a token of the sound. Tokens stay in frames, (F, P, D), so that what depends on the noise level is one row a frame,
(F, 1, D). A clip with images and one without are then one computation.
"""
