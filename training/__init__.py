"""Make the weights of the tiny model. The product does not import it."""
