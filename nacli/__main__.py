"""`python -m nacli` is the command `nacli`."""

from nacli.cli import main

if __name__ == "__main__":
    main(prog_name="nacli")
