"""Run LTX-2.3's distilled two-stage flow: from a specification to latents, frames and a waveform."""
