# make run    the gateway with a simulated SMS centre and a short conversation; ONCE=1 ends after it
# make test   the whole gate: lint, then the suite
#
# Both first make .venv from requirements.lock: with uv where it works, else with venv and pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

.PHONY: help run test test-long servers lint format bench conformance picture recordings screenshots schemas lock
.DELETE_ON_ERROR:

help:
	@echo "make run [ONCE=1]   play a conversation of two handsets; without ONCE stay up until Ctrl-C"
	@echo "make test           ruff, mypy, import rules, pytest"
	@echo "make test-long      the slower proofs, with half an hour of all faults at once"
	@echo "make lint           the gate without the suite"
	@echo "make format         format the code"
	@echo "make bench          decode and encode beside smpplib; what a session costs"
	@echo "make conformance    write docs/smpp-conformance.md anew"
	@echo "make picture        draw the picture of docs/architecture.md anew"
	@echo "make recordings     record the demo anew: docs/recordings"
	@echo "make screenshots    photograph the pages of the console anew: docs/images (needs Chromium)"
	@echo "make schemas        write the JSON Schemas of MQTT payloads anew"
	@echo "make lock           write requirements.lock anew (needs uv)"

run: $(READY)
	@$(BIN)/fetion-gateway demo $(if $(filter-out 0,$(ONCE)),--once)

# What is drawn is the same each time: a red run can be had again.
FIXED := --hypothesis-profile=fixed --randomly-seed=20070515

# Three processes, since tests wait more than they work. Hundreds of gateways are started: with bytecode each takes
# half a second less, wherever that is switched off.
test: lint servers
	@folder=$$(tests/folder.sh) && \
	TMPDIR=$$folder PYTHONDONTWRITEBYTECODE= \
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not long" $(FIXED) --basetemp=$$folder/t && \
	rm -rf $$folder

test-long: $(READY) servers
	@$(BIN)/python -m pytest -m long

# What the suite needs a real server of; without it those tests are skipped, which the end of the report says.
servers:
	@$(mosquitto_is_there)
	@tests/servers.sh

lint: $(READY)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_architecture.py

format: $(READY)
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench: $(READY)
	@$(BIN)/python -m tests.bench_codec
	@$(BIN)/python -m tests.bench_session

conformance: $(READY)
	@$(BIN)/python -m gateway.smpp.conformance > docs/smpp-conformance.md

picture: $(READY)
	@$(BIN)/python -m tests.picture

recordings: $(READY)
	@$(BIN)/python -m tests.recordings

screenshots: $(READY)
	@$(BIN)/python -m tests.screenshots

schemas: $(READY)
	@$(BIN)/python -m tests.make_schemas

lock:
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --group dev pyproject.toml -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(BIN)/python -c "" 2>/dev/null || rm -rf $(VENV)
	@if uv --version >/dev/null 2>&1; then $(call quietly,uv,10,$(with_uv)); \
		else $(python_is_new_enough) && $(venv_is_there) && $(call quietly,pip,30,$(with_pip)); fi
	@touch $@

# Runs the commands $(3) of the tool $(1), which take about $(2) seconds; what they write is shown only when they fail.
define quietly
{ echo "Installing the packages of requirements.lock into $(VENV) with $(1), once: about $(2) s"; \
	log=$$(mktemp) && trap 'rm -f "$$log"' EXIT && trap 'exit 130' INT TERM && \
	if ! { $(3); } >"$$log" 2>&1; then \
		cat "$$log" >&2; \
		if grep -qiE '$(no_index)' "$$log"; then echo "$(index_advice)" >&2; \
		else echo "$(1) failed, see above; then run make again" >&2; fi; \
		exit 1; \
	fi; }
endef

# What pip and uv write when they reach no index, or one that has not what they look for.
no_index := connection|timed out|name resolution|dns error|unreachable|failed to fetch|error sending|proxy|certificate|no matching distribution
index_advice := No package index is reachable from here, or it lacks a package. Check the network; behind a proxy set \
	HTTPS_PROXY; for another index set PIP_INDEX_URL (pip) or UV_DEFAULT_INDEX (uv). Then run make again.

define with_uv
{ [ -x $(BIN)/python ] || uv venv --quiet --python '>=3.11' $(VENV); } && \
	uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock && \
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
endef

define with_pip
$(PYTHON) -m venv $(VENV) && \
	$(PIP) install --require-hashes -r requirements.lock && \
	$(PIP) install --no-deps --no-build-isolation --editable .
endef

define python_is_new_enough
{ $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "fetion-gateway needs Python 3.11 or later, and $(PYTHON) is: $$($(PYTHON) --version 2>&1);" \
		"install it, or name another: make PYTHON=python3.12" >&2; exit 1; }; }
endef

# Debian ships python3 without ensurepip.
define venv_is_there
{ $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; } || \
	{ echo "install python3-venv or uv" >&2; exit 1; }; }
endef

define mosquitto_is_there
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		{ apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto >/dev/null; }; } || \
	echo "Mosquitto is not installed, and cannot be without root and apt: its tests will be skipped" >&2
endef
