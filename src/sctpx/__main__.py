"""``python -m sctpx`` is the command ``sctpx``."""

from .cli.main import main

if __name__ == "__main__":
    main()
