"""`holdfast cluster`: a whole cluster on one machine, to try things and to break them."""
