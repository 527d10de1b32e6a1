"""umt_lib: when should multi-modal models learn together?

Data flows one way:

    params/*.yaml -> experiment -> data -> models -> methods -> training -> results/*.json -> book

``data``        the data sets: three checked splits of named modalities each
``models``      encoders, fusion heads, and late fusion, which joins them
``methods``     one file per training method: a few hooks around one loop
``training``    fit(), that loop;  ``parallel``  in several processes
``inference``   features and predictions of a whole split
``metrics``     accuracy, intervals;  ``probes``  what an encoder's features are worth
``experiment``  one params file, all seeds: train, choose on validation, test once, write
``analysis``    a question asked of many trainings at once: the ``map``, the guide's
``interactions``  paired features in a trained model;  ``diagnosis``  on the data sets
``guide``       UME, UMT or interactions? for anyone's features
``params``      params files held to the constructors they name
``checkpoints`` models and unfinished trainings on disk;  ``files``  nothing half-written
``results``     what an experiment measured;  ``provenance``  and what it was made from
``plots``       the book's figures;  ``book``  the book;  ``worker``  warm notebook workers
"""
