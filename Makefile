# Every target sets up what it needs first; on a set-up clone that takes a blink.

# The first Python that really runs and is new enough: one on PATH may be a pyenv shim that does not work.
PYTHON ?= $(shell for p in .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; \
	do "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BOOTSTRAP = $(or $(PYTHON),$(error Esteira needs Python 3.11 or newer to set itself up; install python3, or call make PYTHON=/path/of/python3)) \
	-m project.embedded.bootstrap
BIN = .venv/bin
ARGS ?=
# Of `make test`: how many tests run at once.
WORKERS ?= 2

# What a person's shell may carry for other projects would lead ours astray.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench shots lighthouse crash drill fuzz simulate clients pins clean infra-check infra-docs images deploy-check

help: ## Print this list
	@echo "Esteira: files go in, versioned pipelines run over them, results come out."
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1#\2/p' Makefile | column -s '#' -t 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1: \2/p' Makefile
	@echo
	@echo "Start with: make run. ARGS=… is handed on, as in: make test ARGS='-k upload'"

setup: ## Fill .venv with the pinned packages (uv and Python 3.13 are found or fetched)
	@$(BOOTSTRAP) setup

run: setup ## Start the platform on this machine and open the door
	@exec $(BIN)/python manage.py up $(ARGS)

test: setup ## Run every test, with the database and browser they need
	@$(BOOTSTRAP) ensure --optional chromium bubblewrap clamd promtool postgres zsh fish caddy
	@$(BIN)/python -m tests.deploy.kubectl
	@echo "Running the tests …"
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: setup ## Lint, types, layers and pins: what a commit must pass
	@echo "Style …" && $(BIN)/ruff check --quiet .
	@echo "Format …" && $(BIN)/ruff format --check --quiet .
	@echo "Types …" && $(BIN)/mypy .
	@echo "Types of the built-in pipelines, each on its own as it runs …" && for p in orchestration/pipelines/[a-z]*/; do \
		( cd $$p && MYPYPATH=../_kit:. ../../../$(BIN)/mypy --config-file /dev/null --strict --explicit-package-bases \
		--no-error-summary */*.py ../_kit/esteira_kit/*.py ) || exit 1; done
	@echo "Layers …" && $(BIN)/lint-imports
	@echo "Pinned packages …" && $(BIN)/python -m project.embedded.pins

bench: setup ## Measure speed on this machine and print the ratios
	@exec $(BIN)/python -m tests.bench $(ARGS)

shots: setup ## Take screenshots of every page, light and dark
	@$(BOOTSTRAP) ensure chromium
	@exec $(BIN)/python manage.py shots $(ARGS)

lighthouse: setup ## Lighthouse on the main pages, desk and phone; needs npm's registry once (ARGS='--only home --runs 3')
	@$(BOOTSTRAP) ensure chromium
	@exec $(BIN)/python -m tests.lighthouse $(ARGS)

crash: setup ## The long campaigns: every crash point, 200 jobs under kills, 1 GiB, 2,000 images, 10,000 items
	@echo "Killing the platform at every durable act, and putting large and broken work through it …"
	@exec $(BIN)/python -m pytest tests/crash tests/live tests/pipelines/test_big.py tests/orchestration/test_healing.py tests/scenarios --campaign=full $(ARGS)

drill: setup ## Restore the database to a new server, hold it against the files, and say RPO and RTO (ARGS='--dump FILE')
	@exec $(BIN)/python manage.py drill $(ARGS)

fuzz: setup ## Schemathesis over the whole API, with new seeds until the time is over (ARGS='--fuzz-minutes 10')
	@exec $(BIN)/python -m pytest tests/fuzz --campaign=full -s $(ARGS)

simulate: setup ## Two million simulated histories of jobs on AWS, each from its seed (ARGS='--seeds N --first K')
	@exec $(BIN)/python -m tests.simulation $(ARGS)

infra-check: setup ## Terraform: format, tests, plans, linters, and whether the tests would see a fault (needs terraform)
	@exec $(BIN)/python -m tests.infra $(ARGS)

infra-docs: setup ## Write what is made from the Terraform files and the alerts: READMEs, tables, a manifest
	@$(BIN)/python -m tests.infra.write
	@exec $(BIN)/python -m tests.deploy.write

deploy-check: setup ## Images, Kubernetes, compose, workflows: built, held to schemas, linted, tried
	@$(BIN)/python -m tests.deploy.kubectl
	@exec $(BIN)/python -m pytest tests/deploy --campaign=full $(ARGS)

images: setup ## Build the images of platform and steps (ARGS='platform steps runner'; docker or buildah)
	@sh deploy/images/build.sh $(ARGS)

clients: setup ## Write the generated parts of the clients anew, from docs/openapi.json
	@echo "Python …" && $(BIN)/python -m project.clients
	@echo "TypeScript …" && $(BIN)/python -m tests.clients.node

pins: setup ## Write deploy/requirements anew from pyproject.toml (needs the package index)
	@$(BIN)/python -m project.embedded.pins write

clean: ## Remove .venv, build and caches; your data in var/ stays
	@$(BOOTSTRAP) clean
