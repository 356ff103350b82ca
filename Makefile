# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/tools/bin/uv pip compile --quiet \
  --python $(BIN)/python --python-version 3.11 --constraint constraints.txt --generate-hashes --no-annotate
export RAY_ENABLE_UV_RUN_RUNTIME_ENV := 0
export RAY_USAGE_STATS_ENABLED := 0
export OMP_NUM_THREADS := 1

.PHONY: help setup demo test check bench soak lock audit clean

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
	$(BIN)/python -m pytest -m "not soak and not ray" -n 2 --dist loadfile
	$(BIN)/python -m pytest -m "ray and not soak"

check: setup ## Linters, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Speed and truth, ratios measured in one run
	$(BIN)/python -m benchmarks.walk

soak: setup ## The long tests: memory of an hour of video, many kills
	MEDPIPE_SOAK=full $(BIN)/python -m pytest -m soak

$(VENV)/tools.done:
	$(PYTHON) -m venv $(VENV)/tools
	$(VENV)/tools/bin/pip --disable-pip-version-check install --quiet uv pip-audit
	@touch $@

lock: setup $(VENV)/tools.done ## Write constraints.txt from what is installed, and the images' locks
	{ echo "# Every version that medpipe is tested with; pip reads it by -c. Made by: make lock"; \
	  $(PIP) freeze --exclude-editable; } > constraints.txt
	$(COMPILE) pyproject.toml --extra otel requirements/image.in -o requirements/curate.txt
	$(COMPILE) requirements/gpu.in -o requirements/curate-gpu.txt
	$(COMPILE) pyproject.toml --extra otel --extra train -o requirements/train.txt

audit: $(VENV)/tools.done ## Known vulnerabilities of what the images hold; needs the advisory service
	@for lock in requirements/*.txt; do \
	  $(VENV)/tools/bin/pip-audit --disable-pip --require-hashes --requirement $$lock \
	    > $(VENV)/audit.log 2>&1; code=$$?; cat $(VENV)/audit.log; \
	  if [ $$code -ne 0 ] && grep -qE 'Connection|Max retries|timed out|ServiceError' $(VENV)/audit.log; \
	  then echo "audit: the advisory service cannot be reached, so $$lock was not looked at"; \
	  elif [ $$code -ne 0 ]; then exit $$code; fi; done

clean: ## Remove the environment and what the demo wrote
	rm -rf $(VENV) medpipe-demo
