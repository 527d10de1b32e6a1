"""The map: who wins where, over uni-modal strength, paired strength, asymmetry and sample size.

``grid``     the cells and their data;  ``stacked``  many small models as one
``train``    the batched loop;  ``runs``  all methods on many cells and seeds
``report``   the finished map: a file, who wins, by how much, where ties are

``python -m umt_lib.map --out runs/map/synthetic.json`` draws up the synthetic map.
"""
