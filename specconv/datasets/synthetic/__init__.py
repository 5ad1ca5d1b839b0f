"""What the demo is made of: the sound of notes, short pieces, and one module for each corpus' layout."""
