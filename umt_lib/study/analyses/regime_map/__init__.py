"""The map: which strategy is best, as a function of the strength of features and the sample size.

``grid`` and ``lazy_grid`` define the cells and their data, ``methods`` trains all strategies on
many cells at once, ``measure`` measures one map and ``summary`` reads it.
"""
