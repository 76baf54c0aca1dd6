"""Benchmarks: `python -m bench`, which `make bench` runs. bench/README.md explains every row."""


def use_modules(folder: str) -> None:
    """Finds what was compiled for this package, bench._sum, in a build folder."""
    __path__.append(folder)
