"""Run as `python -m sr_lab`."""

from sr_lab.cli import main

if __name__ == "__main__":
    main()
