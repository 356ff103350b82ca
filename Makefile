# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export RAY_ENABLE_UV_RUN_RUNTIME_ENV := 0
export RAY_USAGE_STATS_ENABLED := 0
export OMP_NUM_THREADS := 1

.PHONY: help setup demo test check bench soak lock clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-8s %s\n", $$1, $$2}'

$(VENV)/base.done: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11 or 3.12: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/dev.done: $(VENV)/base.done
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo,train,dev]'
	@touch $@

setup: $(VENV)/dev.done ## A .venv with all that tests need (torch: 6 GB)

demo: $(VENV)/base.done ## Set up, run the main job on the bundled lectures, show the result
	$(BIN)/medpipe demo

test: setup ## Set up and run the tests
	$(BIN)/python -m pytest -m "not soak"

check: setup ## Linters, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Speed and truth, ratios measured in one run
	$(BIN)/python -m benchmarks.walk

soak: setup ## The long tests: memory of an hour of video, many kills
	MEDPIPE_SOAK=full $(BIN)/python -m pytest -m soak

lock: setup ## Write constraints.txt from what is installed
	{ echo "# Every version that medpipe is tested with; pip reads it by -c. Made by: make lock"; \
	  $(PIP) freeze --exclude-editable; } > constraints.txt

clean: ## Remove the environment and what the demo wrote
	rm -rf $(VENV) medpipe-demo
