"""How a result is told: a run goes in; text, pictures, a page or tables come out."""
