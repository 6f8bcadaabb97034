"""A believable community, generated from a seed, to try the product with."""
