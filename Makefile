# The front door. Every target installs what it lacks (scripts/setup.sh), then calls CMake.

SECONDS ?= 60
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
export JOBS
MAKEFLAGS += --no-print-directory

.PHONY: all demo test test-python test-pythons test-frameworks test-foreign lint format fuzz bench
.PHONY: scanners wheel sdist install clean distclean help

all:
	@scripts/setup.sh build
	@scripts/build.sh

demo:
	@scripts/setup.sh demo
	@scripts/demo.sh

test:
	@scripts/setup.sh test
	@scripts/test.sh

test-python:
	@scripts/setup.sh base
	@scripts/test.sh python

test-pythons:
	@scripts/setup.sh base
	@scripts/test-pythons.sh

test-frameworks:
	@scripts/setup.sh base
	@scripts/test-frameworks.sh

test-foreign:
	@scripts/setup.sh foreign python
	@scripts/test-foreign.sh

lint:
	@scripts/setup.sh lint
	@scripts/lint.sh

format:
	@scripts/setup.sh lint
	@scripts/lint.sh --fix

fuzz:
	@scripts/setup.sh fuzz
	@scripts/fuzz.sh "$(SECONDS)"

bench:
	@scripts/setup.sh bench
	@scripts/bench.sh

scanners:
	@scripts/setup.sh scanners
	@scripts/build.sh
	@tests/scanners/compare.py --sft build/sft --python build/venv/scanners/bin/python --write docs/pickle.md

wheel:
	@scripts/setup.sh package
	@scripts/package.sh wheel

sdist:
	@scripts/setup.sh package
	@scripts/package.sh sdist

install:
	@scripts/setup.sh build
	@scripts/build.sh --prefix "$(PREFIX)"
	@DESTDIR="$(DESTDIR)" cmake --install build
	@# Programs find a library in /usr/local/lib only when the loader's cache knows it.
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name venv -exec rm -rf {} + 2>/dev/null || true

distclean:
	@rm -rf build dist

help:
	@echo 'make                 the library and the command, as build/sft'
	@echo 'make demo            what it can do, on a small trained network'
	@echo 'make test            all tests: plain, under sanitizers, under valgrind'
	@echo 'make test-python     only the tests of the Python package'
	@echo 'make test-pythons    those that need NumPy alone, with every Python 3.10 and later found here'
	@echo 'make test-frameworks those with TensorFlow, Paddle and MLX, as PyPI has them'
	@echo 'make test-foreign    the C tests as big-endian (s390x) and as 32-bit (i386) programs'
	@echo 'make lint            formatting, static analysis, man pages, scripts'
	@echo 'make format          formats the sources in place'
	@echo 'make fuzz            every fuzz target for SECONDS=60'
	@echo 'make bench           the benchmarks: ROW=3 runs one row, QUICK=1 takes small files'
	@echo 'make scanners        other scanners over the same files; the table goes into docs/pickle.md'
	@echo 'make wheel           the Python package, with libsft inside, in dist/'
	@echo 'make sdist           its source archive, in dist/'
	@echo 'make install         PREFIX=/usr/local DESTDIR='
	@echo 'make clean           removes what was built; distclean also removes build/venv'
