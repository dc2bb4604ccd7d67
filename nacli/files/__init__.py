"""Files, pipes and signals: inputs in blocks, outputs that appear whole, live input that ends
well."""
