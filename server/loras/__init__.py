"""The LoRAs that the server offers: those of `--lora` and of the folder `--lora-dir`."""
