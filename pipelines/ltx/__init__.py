"""LTX-2.3: the distilled two-stage flow from a spec to latents, frames and a waveform."""
