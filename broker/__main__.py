"""`python -m broker` is the `cbm` command."""

from broker.cli.main import run

if __name__ == "__main__":
    run()
