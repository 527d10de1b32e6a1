"""The map: who wins where, over uni-modal strength, paired strength, asymmetry and sample size.

``grid``      the cells and their data;  ``stacked``  many small models as one
``train``     the batched loop;  ``runs``  all methods on many cells and seeds
``measure``   one map, measured;  ``reading``  strategies, ties;  ``words``  sentences and tables
``tradeoff``  UMT over its weight, with remedies for what it suppresses

``umt analyse params/analyses/map-synthetic-2048.yaml`` draws up a map.
"""
