"""How f is computed, fast where the network allows it. Nothing here is needed to follow a chapter."""
