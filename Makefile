# `make run` and `make test` work on a bare machine with Python >= 3.11: they build .venv from requirements.lock first.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
# The locks name every package, so pip need not look for what each of them wants.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes
LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --no-header
# A hundred short jobs must not compile their imports a hundred times over.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run all-tasks tiny test check lock bench bench-data bench-training clean help

help:
	@echo "make run     fetch the sample data, run the whole DAG, print the scores and the path of the report"
	@echo "make all-tasks  every run, not the quick ones alone: report/all_tasks.html"
	@echo "make tiny    try every run, data and all, in a few minutes as R.tiny beside it; its scores mean nothing"
	@echo "make test    run the tests"
	@echo "make check   lint, format, types, import rules, workflow lint"
	@echo "make bench   time a fresh clone, the whole run and a run with nothing to do"
	@echo "make bench-data  time ingestion, random windows and many parts against SeisBench, h5py, ObsPy and xarray"
	@echo "make bench-training  time training, architecture by architecture, against PyTorch"
	@echo "make lock    pin current releases in requirements.lock (needs uv)"
	@echo "make clean   remove what was built: data, results, report, logs"

run: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES) --quiet rules

all-tasks: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake all_tasks --cores $(CORES) --quiet rules

tiny: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake all_tasks --cores $(CORES) --config tiny=true --quiet rules

test: .venv/tools
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: .venv/tools
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/check.sh

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "geojax needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Say which: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "building .venv from requirements.lock (a minute or two, once)"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(INSTALL) -r requirements.lock
	@$(BIN)/python -m compileall -q -j 0 -x '/(tests?|testing)/' .venv/lib >/dev/null || true  # pip uses one core for it
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# What tests and checks need besides.
.venv/tools: .venv/ready requirements-dev.lock
	@echo "adding what tests and checks need, from requirements-dev.lock"
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

bench: .venv/ready
	@sh benchmarks/whole_run.sh

bench-data: benchmarks/.venv-peers/ready
	@PYTHONPATH=. benchmarks/.venv-peers/bin/python benchmarks/data/ingest.py
	@PYTHONPATH=. benchmarks/.venv-peers/bin/python benchmarks/data/windows.py
	@PYTHONPATH=. benchmarks/.venv-peers/bin/python benchmarks/data/parts.py
	@PYTHONPATH=. benchmarks/.venv-peers/bin/python benchmarks/data/whole.py

bench-training: benchmarks/.venv-peers/ready
	@PYTHONPATH=. benchmarks/.venv-peers/bin/python benchmarks/training/throughput.py
	@PYTHONPATH=. benchmarks/.venv-peers/bin/python benchmarks/training/startup.py

# Peers see the libraries of .venv and add their own (SeisBench brings PyTorch, some GB), so that both run on the same.
benchmarks/.venv-peers/ready: .venv/ready benchmarks/peers.txt
	@rm -rf benchmarks/.venv-peers && $(BIN)/python -m venv benchmarks/.venv-peers
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(benchmarks/.venv-peers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/geojax-libraries.pth"
	@benchmarks/.venv-peers/bin/pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

lock:
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf data results report logs .snakemake
