"""How good are features: kNN, linear probe and their intervals, from arrays and callables only."""
