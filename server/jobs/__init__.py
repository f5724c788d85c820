"""Jobs: requested clips, the queue they wait in, and the workers that render them."""
