"""How well the reader reads: hand-marked sentences and the figures over them."""
