"""The project's benchmarks: ours against other stacks on the same work, in one run, on one machine.

    python -m bench.run              everything; writes bench/results/latest.json and prints the tables
    python -m bench.run --quick      bulk transfer of 64 KiB messages only, under two minutes
    python -m bench.plot             a picture of the results
    python -m bench.ratio            ours, interpreted, against usrsctp: fails if it is not clearly faster
    python -m bench.guard            CPU time per packet against the raw floor: fails if it has become much worse

``works`` says what is measured and ``targets`` what is wanted of it. ``measure`` goes round after round through all
stacks (``stacks``), with processes that ``pair`` starts in the networks that ``network`` makes; the drivers that do the
work are in ``peers``. ``results`` are rows, which ``table`` and ``plot`` show.
"""
