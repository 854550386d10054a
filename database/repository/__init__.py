"""Where rows become values and values rows: one module a noun, one method a transaction."""
