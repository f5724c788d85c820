"""Where the README's figures come from. Each module prints its own, with a ratio against something real."""
