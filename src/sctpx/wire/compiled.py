"""Whether this runs as compiled extensions (mypyc) or interpreted, and what the fast paths take from it.

The source is one and the same. A few hot helpers read and write machine words where that compiles to a few
instructions, and call ``struct`` where it is interpreted, which is then the faster way by far.
"""

from __future__ import annotations

from typing import Final

COMPILED: Final = not __file__.endswith((".py", ".pyc"))
