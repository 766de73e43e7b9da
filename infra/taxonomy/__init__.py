"""The taxonomy's workshop: WordNet's tree plus the shop's edits make pipeline/taxonomy.csv."""
