# make run     the example port: RabbitMQ, broker, three adapters, until Ctrl-C
# make test    everything that is checked, on real servers; TESTS="tests/unit -k view" for some, in one process
# make install the set-up alone; leaves .venv/bin/cbm
# make bench   speed and memory, side by side with other libraries, which it installs under var/
# make fuzz    coverage-guided fuzzing of every reader, SECONDS=600 each
# make formats, make docs   regenerate the tables of docs/ and the schemas

PYTHON ?= python3
CORPUS ?= ../shared/corpus
CBM := .venv/bin/cbm

.PHONY: install run test bench fuzz formats docs lock clean

install: .venv/.installed rabbitmq

.venv/.installed: requirements.lock pyproject.toml tools/install.sh
	PYTHON="$(PYTHON)" sh tools/install.sh venv

.PHONY: rabbitmq
rabbitmq:
	@sh tools/install.sh rabbitmq

run: install
	$(CBM) up --config examples/seaport/cbm.toml --drop examples/seaport/documents --story

# Most tests wait more than they compute: three side by side, each with servers of its own, even on two cores.
# A file's tests stay together; the files go in their order, for the slowest stand first.
WORKERS ?= $(if $(TESTS),0,3)
test: install postgresql
	.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(TESTS)

.PHONY: postgresql
postgresql:
	@sh tools/install.sh postgresql

bench: install
	.venv/bin/python -m bench.decide
	.venv/bin/python -m bench.throughput
	rm -rf var/libraries
	.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --target var/libraries \
		--require-hashes -r requirements-bench.lock
	.venv/bin/python -m bench.formats $(wildcard $(CORPUS))

# SECONDS for each format; what breaks a reader is kept in var/fuzz.
fuzz: install
	.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	.venv/bin/python -m bench.fuzz --seconds $(or $(SECONDS),600)

formats: install
	.venv/bin/python -m adapters.survey $(CORPUS) --write docs/FORMATS.md

docs: install
	.venv/bin/python -m schemas.export
	.venv/bin/python -m broker.logs > docs/LOGS.md

# Locks every version with its hash, for all platforms, and without the address of any index.
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate pyproject.toml
lock:
	$(LOCK) --group dev -o requirements.lock
	$(LOCK) --group fuzz -c requirements.lock -o requirements-fuzz.lock
	$(LOCK) --group build -c requirements.lock -o requirements-runtime.lock
	$(LOCK:pyproject.toml=bench/libraries.in) --no-deps -o requirements-bench.lock

clean:
	rm -rf .venv build dist examples/seaport/var
