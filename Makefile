# One list of commands, the same at hand and in CI. It needs git, make and Python 3.11 or newer.
PYTHON ?= python3
TOOLS := .venv/tools
UV := $(TOOLS)/bin/uv
export UV_PROJECT_ENVIRONMENT := .venv/dev
export UV_PYTHON_DOWNLOADS := never
# Trust what the machine trusts: many networks have a certificate authority of their own.
export UV_SYSTEM_CERTS := true
RUN := $(UV) run --frozen --no-sync
ONCE ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-main test-openai test-frameworks test-arq test-llama-index test-wheel test-oldest lint format bench bench-web bench-store bench-growth soak-store soak soak-queues screenshots bench-pages fuzz clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("tracium needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@mkdir -p .venv && printf '*\n' > .venv/.gitignore
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

setup: $(UV) ## Install everything that the other commands need, from the lock file
	@$(UV) sync --frozen --quiet --python $(PYTHON) --group dev --extra demo --extra flask --extra django --extra starlette --extra httpx --extra jwt --extra celery --extra kafka

demo: setup ## Run the demo: backend, app, traffic, table (ONCE=1 ends by itself)
	$(RUN) tracium demo $(if $(ONCE),--once)

test: test-main test-openai test-frameworks test-arq test-llama-index test-wheel test-oldest ## Run all tests (make -j2 test: two at a time)

test-main: setup ## Run the tests of the development environment
	$(RUN) pytest -n 2 --dist loadfile

test-openai: $(UV) ## Run the tests of the OpenAI extras with each generation of the client
	@sh tests/environments/openai.sh $(UV) $(PYTHON)

test-frameworks: $(UV) ## Run the tests of the web frameworks with the oldest ones that are supported
	@sh tests/environments/frameworks.sh $(UV) $(PYTHON)

test-arq: $(UV) ## Run the tests of arq, which wants an older Redis client than the others
	@sh tests/environments/arq.sh $(UV) $(PYTHON)

test-llama-index: $(UV) ## Run the tests of LlamaIndex, which wants an older OpenAI client than the others
	@sh tests/environments/llama_index.sh $(UV) $(PYTHON)

test-wheel: $(UV) ## Run the smoke tests against the built wheel in a minimal installation
	@sh tests/environments/wheel.sh $(UV) $(PYTHON)

test-oldest: $(UV) ## Run the rules of tenancy with the oldest OpenTelemetry that is supported
	@sh tests/environments/oldest.sh $(UV) $(PYTHON)

lint: setup ## Check style and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

format: setup ## Bring the code into the common form
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench: setup ## Print the figures: spans, agents, metrics, sampling, set_tenant, start-up, the border
	$(RUN) python benchmarks/spans.py
	$(RUN) python benchmarks/agents.py
	$(RUN) python benchmarks/metrics.py
	$(RUN) python benchmarks/sampling.py
	$(RUN) python benchmarks/set_tenant.py
	$(RUN) python benchmarks/startup.py
	$(RUN) python benchmarks/border/cost.py

bench-store: setup ## Print what the backend takes and answers, and what a span costs (SPANS=10000000: so many in the store)
	$(RUN) python benchmarks/store/ingest.py --spans 200000 --per-request 20 --connections 50
	$(RUN) python benchmarks/store/questions.py --spans $(or $(SPANS),10000000)

bench-growth: setup ## Print how answers slow down from 1 to 100 million spans (half an hour, 20 GB of disk)
	$(RUN) python benchmarks/store/growth.py

soak-store: setup ## Kill the backend 50 times under load and count what it holds (some minutes)
	$(RUN) python benchmarks/store/crash.py

bench-web: setup ## Print what a request costs with each web framework, beside OpenTelemetry without tracium
	$(RUN) python benchmarks/web/cost.py

soak: setup ## Serve 100,000 requests of 200 tenants and check every span (some minutes)
	$(RUN) python benchmarks/web/soak.py

soak-queues: setup test-arq ## Send 10,000 tasks of 100 tenants through each task queue and check every span (some minutes)
	$(RUN) python benchmarks/queues/soak.py
	.venv/arq/bin/python benchmarks/queues/soak.py arq

screenshots: setup ## Take the pictures of the pages in docs/images anew (needs Chromium)
	$(RUN) python benchmarks/pages/screenshots.py

bench-pages: setup ## Print what the pages weigh and how fast they are, in Chromium (SPANS=100000: so many in the store)
	$(RUN) python benchmarks/pages/speed.py --spans $(or $(SPANS),100000)

fuzz: setup ## Send 1,000,000 hostile headers through the border (some minutes)
	$(RUN) python benchmarks/border/fuzz.py --inputs 1000000

clean: ## Remove everything that these commands made
	rm -rf .venv
