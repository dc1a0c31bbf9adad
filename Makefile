# Everything a checkout needs. `make serve` and `make test` work on a machine that has only Python and make.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
SOURCES := $(patsubst %/__init__.py,%,$(wildcard $(addsuffix /__init__.py,protocol collab rest storage codraw)))
OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: help serve web web-if-possible test autobahn fuzz campaign-quick campaign soak lint format lock wheel clean bench bench-quick

help:
	@echo "make serve    run codraw on http://127.0.0.1:8080/ (development mode)"
	@echo "make web      build the editor that is then served at /; needs Node and npm, and make serve does it where they are"
	@echo "make test     lint, types and the whole test suite"
	@echo "make autobahn  the whole Autobahn test suite on our WebSocket protocol, where a Python 2.7 is to be had"
	@echo "make fuzz     100 000 requests made up from openapi.yml; another draw every time; about half an hour"
	@echo "make campaign-quick   faults: 10 000 simulated histories, state machines, and real processes that are killed"
	@echo "make campaign         the same at the size of a release: hours; goes on where it was stopped (CAMPAIGN=folder)"
	@echo "make soak             every night: fifty editors on every real diagram, and a tenth of make campaign"
	@echo "make bench    speed: all bars beside a C floor and other projects' servers; about 20 minutes, on a quiet machine"
	@echo "make bench-quick      the bars that need neither npm nor PyPI, in a minute"
	@echo "make lint     lint and types alone;  make format  lets ruff rewrite"
	@echo "make wheel    dist/codraw-*.whl"
	@echo "make lock     pin the newest versions pyproject.toml allows"
	@echo "make clean    remove everything that was built"

serve: $(VENV)/.runtime web-if-possible
	@exec $(PY) -m codraw serve --dev $(ARGS)

# Many tests wait for servers, for browsers and for time that has to pass: three processes keep two cores busy.
WORKERS := $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$((cores + (cores + 1) / 2)))

LINT = echo "== ruff check";  $(PY) -m ruff check .; check=$$?; \
       echo "== ruff format"; $(PY) -m ruff format --check .; format=$$?; \
       echo "== mypy";        $(PY) -m mypy $(SOURCES); types=$$?; \
       exit $$((check || format || types))

# The linters tell first: what they find often explains the failures that follow. They do not keep the tests from
# running, since one run shows everything there is to repair, nor from beginning: what these say waits in the pipe.
# In a new checkout one process compiles all test modules, and not every worker each of them: 12 s of CPU a worker.
test: $(VENV)/.dev web-if-possible tests/node/node_modules/.package-lock.json .autobahn/.installed
	@export PYTHONDONTWRITEBYTECODE=; \
	{ [ -d tests/__pycache__ ] || $(PY) -m pytest -qq --collect-only >/dev/null 2>&1; \
	  $(PY) -u -m pytest $(if $(MAKE_TERMOUT),--color=yes) -n $(WORKERS) --dist worksteal $(ARGS) 2>&1; } | \
	{ ( $(LINT) ) </dev/null; style=$$?; echo "== pytest"; trap '' INT; cat; exit $$style; }; \
	ends=("$${PIPESTATUS[@]}"); \
	if [ $${ends[1]} -ne 0 ]; then echo "error: lint or types failed, see above the tests" >&2; fi; \
	exit $$((ends[0] || ends[1]))

autobahn: $(VENV)/.dev .autobahn/.installed
	$(PY) -m tests.autobahn full

fuzz: $(VENV)/.dev
	$(PY) -m tests.fuzz $(ARGS)

# Each part says by itself what it injected, and fails where it injected nothing. One that fails keeps no other from
# running: one run shows everything there is to repair. Bounded by counts, not by time; always the
# same seeds, so that a run can be repeated: `make soak` and `make campaign` draw the commit's own.
campaign-quick: $(VENV)/.dev
	@failed=; \
	echo "== simulated histories"; $(PY) -m tests.simulator.run --base 7000000 --seeds 0:10000 --workers 2 || failed+=" histories"; \
	echo "== histories of undo";   $(PY) -m tests.simulator.run --base 7000000 --seeds 0:500 --undo-heavy --workers 2 || failed+=" undo"; \
	echo "== planted bugs";        $(PY) -m tests.simulator.planted || failed+=" planted"; \
	echo "== JavaScript";          $(PY) -m tests.simulator.javascript --operations 10000 || failed+=" javascript"; \
	echo "== state machines";      CODRAW_TEST_MACHINES=50x30 $(PY) -m pytest -q -n 2 --timeout 1800 tests/machines || failed+=" machines"; \
	echo "== real processes";      $(PY) -m tests.campaign quick || failed+=" processes"; \
	if [ -n "$$failed" ]; then echo "error: the campaign found something in:$$failed" >&2; exit 1; fi

# What a folder holds of parts that have passed is not run again.
CAMPAIGN := campaign
campaign: $(VENV)/.dev
	@mkdir -p $(CAMPAIGN); failed=; \
	$(PY) -m tests.simulator.run --seeds 0:1000000 --workers $$(nproc) --state $(CAMPAIGN)/histories.state --json $(CAMPAIGN)/histories.json || failed+=" histories"; \
	$(PY) -m tests.simulator.run --seeds 0:100000 --undo-heavy --workers $$(nproc) --state $(CAMPAIGN)/undo.state --json $(CAMPAIGN)/undo.json || failed+=" undo"; \
	$(PY) -m tests.simulator.planted --upto 2000 || failed+=" planted"; \
	$(PY) -m tests.simulator.javascript --operations 1000000 || failed+=" javascript"; \
	CODRAW_TEST_MACHINES=2000x50 $(PY) -m pytest -q -n auto --timeout 86400 tests/machines || failed+=" machines"; \
	$(PY) -m tests.campaign planted || failed+=" planted processes"; \
	$(PY) -m tests.campaign full --journal $(CAMPAIGN)/processes.jsonl --report $(CAMPAIGN)/processes.json || failed+=" processes"; \
	if [ -n "$$failed" ]; then echo "error: the campaign found something in:$$failed" >&2; exit 1; fi

soak: $(VENV)/.dev
	@failed=; \
	$(PY) -m pytest -m soak tests/wire/test_soak.py $(ARGS) || failed+=" editors"; \
	$(PY) -m tests.simulator.run --seeds 0:100000 --workers $$(nproc) || failed+=" histories"; \
	CODRAW_TEST_MACHINES=200x50 $(PY) -m pytest -q -n auto --timeout 14400 tests/machines || failed+=" machines"; \
	$(PY) -m tests.campaign soak || failed+=" processes"; \
	if [ -n "$$failed" ]; then echo "error: the soak found something in:$$failed" >&2; exit 1; fi

# Results are written to bench/results/. The peers are installed at their first run; one that cannot be had is named.
bench: $(VENV)/.dev
	@$(PY) -m bench.run $(ARGS)

bench-quick: $(VENV)/.dev
	@$(PY) -m bench.run --quick --rounds 2 --seconds 1 $(ARGS)

lint: $(VENV)/.dev
	@$(LINT)

format: $(VENV)/.dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Without npm it carries the small page alone, and make says so.
wheel: $(VENV)/.dev web-if-possible
	$(PY) -m build --wheel --no-isolation

# uv resolves for all platforms at once; it lives in an environment of its own because nothing else needs it.
# The dev lock takes the runtime lock as constraint, so that tests run on the versions users get.
lock: $(VENV)/.uv
	@for lock in "requirements.lock" "requirements-dev.lock --extra dev -c requirements.lock"; do \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/uv/bin/uv pip compile --quiet --upgrade --universal \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	    pyproject.toml -o $$lock || exit 1; \
	done

clean:
	rm -rf $(VENV) .autobahn web/vendor web/node_modules tests/node/node_modules bench/peers/node_modules bench/peers/.venv bench/peers/.made dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@for python in "$(PYTHON)" python3.13 python3.12 python3.11 python3; do \
	  if [ -n "$$python" ] && command -v "$$python" >/dev/null && "$$python" -c '$(OLD_ENOUGH)' 2>/dev/null; then \
	    echo "== $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv --clear $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "error: $$python cannot make a virtual environment; on Debian: apt-get install $${python##*/}-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "error: codraw needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python" >&2; exit 1

# A stamp is newer than its lock as long as the environment holds what the lock says.
$(VENV)/.runtime: requirements.lock $(PY)
	@echo "== installing requirements.lock"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(PY)
	@echo "== installing requirements-dev.lock"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# No script of a package runs. With the network away npm gives up after seconds, not minutes.
web/vendor/x6.min.js: web/package-lock.json
	@command -v npm >/dev/null || { echo "error: make web needs Node and npm; on Debian: apt-get install nodejs npm" >&2; exit 1; }
	@npm --prefix web ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel error --fetch-retries 1 --fetch-retry-mintimeout 1000 --fetch-timeout 30000
	@npm --prefix web run --silent build

web: web/vendor/x6.min.js

# It is no reason not to serve: the page in web/playground needs no build.
web-if-possible:
	@if $(MAKE) --no-print-directory -q web; then exit; fi; \
	served=$$(if [ -f web/vendor/x6.min.js ]; then echo "the editor is served as it was built before"; else echo "the small page is served"; fi); \
	if ! command -v npm >/dev/null; then echo "== no npm: $$served; with Node and npm here, make web builds the editor"; exit; fi; \
	echo "== building the editor"; \
	$(MAKE) web >/dev/null 2>&1 || echo "== npm could not, and make web says why: $$served"

# Without npm the tests that need AsyncAPI's own parser or the TypeScript compiler are skipped, and say so.
tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "== installing tests/node/package-lock.json"; \
	  npm --prefix tests/node ci --silent || echo "== npm could not; what needs it is skipped"; \
	fi

# Only under Python 2.7 does it run. Without one its tests are skipped, and say so.
.autobahn/.installed: tests/autobahn/requirements.txt | $(VENV)/.dev
	@if $(PY) -m tests.autobahn install; then touch $@; fi

$(VENV)/.uv: | $(PY)
	@$(PY) -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@
