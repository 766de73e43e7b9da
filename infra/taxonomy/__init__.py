"""How pipeline/taxonomy.csv is made: WordNet's tree with the edits in shop_edits.csv."""
