# Every verb first makes sure that .venv is there and up to date; a second run costs nothing.

.DEFAULT_GOAL := help
.PHONY: help setup up test check bench faults soak fmt
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Tests at a time. More than cores: many of them wait for a process or a clock.
WORKERS ?= 4

help: ## Show the verbs
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(BIN)/headgate ## Make .venv, with headgate and the tools of its developers in it

$(BIN)/headgate: pyproject.toml uv.lock tools/bootstrap.sh
	@tools/bootstrap.sh project
	@touch $@

up: setup ## Start the gateway (ARGS="--port 9000" and the like are passed on)
	@exec $(BIN)/headgate up $(ARGS)

test: setup ## Run all tests, real client libraries included (ARGS="tests/unit -k sse")
	@tools/bootstrap.sh clients
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: setup ## Lint, formatting, types, import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure beside nginx, and LiteLLM where it is installed
	@tools/bootstrap.sh bench
	@$(BIN)/python -m bench $(ARGS)

faults: setup ## Print what a client sees of every fault of a provider
	@$(BIN)/python -m tests.faults.bench

soak: setup ## Half an hour of faults at random (ARGS="--seconds 60 --rate 100")
	@$(BIN)/python -m tests.faults.soak $(ARGS)

fmt: setup ## Format and fix what can be fixed without thinking
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
