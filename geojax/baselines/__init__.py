"""Classical methods, tuned with the same care as a model: classes with `fit` and `predict`."""
