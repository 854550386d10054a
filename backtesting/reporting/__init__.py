"""How a result is told: a run goes in, text comes out."""
