# Verbs only. `make` prints them; each that needs it does the set-up, which costs nothing when it is done.
PYTHON ?=
BIN := .venv/bin
TORCH := torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0
export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help setup study study-full test book smoke lab publish constraints clean

help: ## print these verbs
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 13

setup: ## make the environment in .venv (PYTHON=python3.12, TORCH_BACKEND=cpu are understood)
	@PYTHON="$(PYTHON)" TORCH_BACKEND="$(TORCH_BACKEND)" sh scripts/setup.sh

study: setup ## run the default experiments on this machine, then build the book
	@$(BIN)/python -m umt_lib.study.pipeline.notebook_server serve -- $(BIN)/snakemake --profile profiles/local

study-full: setup ## the same with every experiment whose data is here, and av-digits: hours on two cores
	@$(BIN)/python -m umt_lib.study.pipeline.notebook_server serve -- $(BIN)/snakemake --profile profiles/local \
		--config study=full

test: setup ## check style and types, then run the tests
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

book: setup ## build the book from the published results; trains nothing
	@$(BIN)/python -m umt_lib book --published

smoke: setup ## run every experiment whose data is here for one epoch, to prove that all run
	@$(BIN)/python -m umt_lib smoke

lab: setup ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks/start.py

publish: setup ## copy this machine's complete, current results to results/, renew the README
	@$(BIN)/python -m umt_lib publish; status=$$?; $(BIN)/python -m umt_lib book --readme && exit $$status

constraints: setup ## pin today's newest versions of all dependencies (torch: see Makefile)
	@printf '%s\n' $(TORCH) | $(BIN)/uv pip compile pyproject.toml - --all-extras --universal \
		--upgrade --no-annotate --no-header --python-version 3.11 --quiet --output-file constraints.txt

clean: ## delete the environment, runs/ with its results, and the built book
	rm -rf .venv .mypy_cache runs .snakemake book/_build notebooks/*.ipynb
