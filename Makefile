# Everything a person or CI does here. `make setup` alone needs the network; the rest works offline.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ONLY ?=
MINUTES ?=
HOURS ?= 8
SPEED ?= 16
ARGS ?=
# onnxruntime must not talk to its maker, here or in anything that a test starts
export ORT_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help setup models demo test test-fast lint format bench chaos fleet faults stories matrix soak fuzz schemas lock clean

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(STAMP): pyproject.toml requirements-dev.lock
	@$(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies (hnswlib is compiled: a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

setup: $(STAMP) ## the virtual environment in .venv

models: $(STAMP) ## fetch the pinned assets, build and measure the networks
	@$(BIN)/bodycam-agent models build --with-footage --with-peers

demo: models ## the main job on real footage, with an embedded broker
	@$(BIN)/python -m tests.demo

test: models ## every test
	@$(BIN)/python -m pytest -q

test-fast: $(STAMP) ## without the slow ones
	@$(BIN)/python -m pytest -q -m "not slow"

lint: $(STAMP) ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## put everything in shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: models ## speed and memory against OpenCV, as ratios (ONLY=name for one)
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

chaos: $(STAMP) ## a thousand alerts while everything fails (ARGS="--alerts 60" for less)
	@$(BIN)/python -m tests.chaos $(ARGS)

fleet: $(STAMP) ## 300 light devices on one mosquitto; build/fleet.json (agent/docs/fleet.md)
	@$(BIN)/bodycam-sim fleet --devices 300 --out build/fleet.json

faults: models ## every fault of a story alone and in random pairs, against the whole agent (ARGS="--timelines 50 --seed 1")
	@$(BIN)/python -m tests.faults $(ARGS)

stories: models ## every story of the simulated camera against the agent (ONLY="night mine.yaml" for some)
	@$(BIN)/python -m tests.stories $(if $(ONLY),--only $(ONLY))

matrix: models ## recall by distance, light and motion; build/stories-matrix.json
	@$(BIN)/python -m tests.stories.matrix

soak: models ## HOURS (8) of the whole agent, SPEED (16) times as fast: nothing may grow (agent/docs/soak.md)
	@$(BIN)/python -m tests.soak --hours $(HOURS) --speed $(SPEED) $(ARGS)

fuzz: $(STAMP) ## broken lists, shards, manifests and metadata for MINUTES (10)
	@$(BIN)/python -m tests.fuzz $(if $(MINUTES),--minutes $(MINUTES))

schemas: $(STAMP) ## generate agent/docs/schemas and examples
	@$(BIN)/python -m tests.support.gen_schemas

lock: $(STAMP) ## pin every dependency for Python 3.10-3.13 on x86-64 and aarch64
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --generate-hashes \
		--extra models --output-file requirements.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --generate-hashes \
		--extra models --group dev --output-file requirements-dev.lock pyproject.toml

clean: ## remove what was built here; the virtual environment stays
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
