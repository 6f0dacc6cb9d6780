"""How fast the package trains and measures, as ratios to the loop a user would otherwise write: ``make bench``."""
