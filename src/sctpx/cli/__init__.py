"""The command line: ``sctpx demo``, ``connect``, ``listen``, ``perf``, ``doctor``, ``man``.

Each command is a thin user of the asyncio API. What is common to them: ``parameters`` reads what people type,
``output`` writes what they read, ``failure`` makes one line of what went wrong, ``report`` tells what each address
answered to a connect. Colour and moving pictures appear on a terminal only; ``--json`` gives one object a run.
"""
