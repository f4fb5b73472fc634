# Every target works in the environment that icevision_install.sh installs into: the active one, or .venv.
PY = $(shell bash icevision_install.sh --which)

.PHONY: help setup dev demo test test-all bench lab label lint address clean distclean

help:  ## lists what can be made
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## installs everything (quick when it is there)
	@bash icevision_install.sh

dev: setup
	@"$(PY)" -m pip install --no-compile --disable-pip-version-check --quiet -r requirements-dev.txt -r requirements-microscopes.txt -r requirements-cluster.txt
	@bash tests/shared/xvfb_packages.sh

demo: setup  ## runs both notebooks on the bundled photos and prints the counts
	"$(PY)" -m cellcount demo

# Two processes whose small sums each wait for two threads take several times as long.
test test-all: export OPENBLAS_NUM_THREADS = 1

test: dev  ## runs the tests that take seconds, and both notebooks
	"$(PY)" -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

test-all: dev  ## runs all tests, those that take minutes too
	"$(PY)" -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: setup  ## measures speed and memory into benchmarks/RESULTS.md, some minutes
	"$(PY)" -m benchmarks

lab: setup  ## opens the notebooks in JupyterLab
	"$(PY)" -m jupyterlab

label: setup  ## opens labelImg on photos: make label FOLDER=my/labeled
	"$(PY)" -m cellcount label $(if $(FOLDER),"$(FOLDER)")

lint: dev  ## checks style, formatting, imports and types
	"$(PY)" -m ruff check .
	"$(PY)" -m ruff format --check .
	"$(PY)" -c 'from importlinter.cli import lint_imports_command as check; check()'
	"$(PY)" -m mypy

address:  ## writes the address of your copy into README and notebooks: make address REPO=you/name
	@test -n "$(REPO)" || { echo 'Say which: make address REPO=you/name'; exit 1; }
	@for file in README.md CITATION.cff train.ipynb inference.ipynb; do \
		sed 's#OWNER/cell-counter#$(REPO)#g' $$file > $$file.new && mv $$file.new $$file; done

clean:  ## removes caches and outputs; keeps .venv, checkpoints/, models/ and data/
	rm -rf out build *.egg-info .cache .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -print0 | xargs -0 rm -rf

distclean: clean  ## removes .venv too
	rm -rf .venv
