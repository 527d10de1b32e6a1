"""The map: which strategy is best, as a function of features, sample size and training length.

``worlds`` defines the data of every cell, ``strategies`` is the table of strategies, ``train``
trains them on many cells at once, ``measure`` measures one map and ``summary`` reads it.
"""
