# Everything a person or CI does here. `make` alone lists it.
# The set-up is made from the lock files and made again when one of them changes; nothing outside this folder is touched,
# except by `make system`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# the line is Python 3.11 (ARCHITECTURE.md): by that name, or python3 where it is one
PYTHON := $(shell for p in python3.11 python3; do \
    $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && command -v $$p && break; done)
UV := .venv-tools/bin/uv
PY := .venv/bin/python

# a site's own certificate authority counts, as it does for pip
export UV_SYSTEM_CERTS ?= 1

# Real exams, for the tests and the demo. They are no part of the project; README says where they come from.
SDFO_REAL_EXAMS ?= ../shared/data
ifneq ($(wildcard $(SDFO_REAL_EXAMS)),)
export SDFO_REAL_EXAMS := $(abspath $(SDFO_REAL_EXAMS))
else
unexport SDFO_REAL_EXAMS
endif

# Java 17 where Debian puts it, unless the environment names one
JAVA_HOME ?= $(firstword $(wildcard /usr/lib/jvm/java-17-openjdk-*))
ifneq ($(JAVA_HOME),)
export JAVA_HOME
endif

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- set-up ----------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: needs .venv/.stamp-sdfo .venv-airflow/.stamp ## both environments, from the lock files

.PHONY: doctor-system
doctor-system: ## what the system lacks, as one apt-get line
	@scripts/system "$(PYTHON)" && echo 'The system lacks nothing.'

.PHONY: system
system: ## as root: install what the system lacks
	@scripts/system --install "$(PYTHON)"

# set-up by root (CI on a fresh machine) installs what is missing, by anyone else stops with the line to type
.PHONY: needs
needs:
	@scripts/system $(if $(filter 0,$(shell id -u)),--install) "$(PYTHON)"

.venv-tools/.stamp: conf/locks/tools.txt | needs
	$(PYTHON) -m venv --clear .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# the pipeline: pyspark, mrjob, pydicom …
.venv/.stamp: conf/locks/pipeline.txt .venv-tools/.stamp
	test -x $(PY) || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --compile-bytecode --python $(PY) --require-hashes $<
	@touch $@

.venv/.stamp-sdfo: .venv/.stamp setup.cfg pyproject.toml
	$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

# Airflow apart: its Spark provider brings a package that overwrites half of pyspark
.venv-airflow/.stamp: conf/locks/airflow.txt .venv-tools/.stamp
	test -x .venv-airflow/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-airflow
	$(UV) pip sync --quiet --compile-bytecode --python .venv-airflow/bin/python --require-hashes $<
	@touch $@

.PHONY: lock
lock: .venv-tools/.stamp ## renew the lock files
	@compile() { $(UV) pip compile --quiet --upgrade --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url "$$@" >/dev/null; }; \
	compile conf/locks/tools.in -o conf/locks/tools.txt; \
	compile setup.cfg --extra dev -o conf/locks/pipeline.txt; \
	compile conf/locks/airflow.in -o conf/locks/airflow.txt
	@git diff --stat -- conf/locks

# -- to see it -------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## the whole life of real exams: night, near-line, tape, freed, recalled
	@scripts/demo

.PHONY: demo-cluster
demo-cluster: hadoop-up ## the same night on a real Hadoop: HDFS, Spark on YARN, PostgreSQL
	@scripts/demo-cluster

.PHONY: airflow
airflow: setup ## Airflow's pages on 127.0.0.1, with the login
	@scripts/airflow-pages

# -- a Hadoop of one's own -------------------------------------------------------------------------------------------

.PHONY: hadoop
hadoop: setup ## the jars of a Hadoop for development and tests, compared with their lock
	@$(PY) -m sdfo.testing.hadoop gather

.PHONY: hadoop-up
hadoop-up: hadoop ## NameNode, 3 DataNodes, ResourceManager, NodeManager on 127.0.0.1
	@$(PY) -m sdfo.testing.hadoop up

.PHONY: hadoop-down
hadoop-down: setup ## stop them; what they store stays in var/hadoop
	@$(PY) -m sdfo.testing.hadoop down

# -- to work on it ---------------------------------------------------------------------------------------------------

.PHONY: test
test: setup hadoop ## all tests but the long ones; ARGS='…' goes to pytest
	@$(PY) scripts/test_groups.py $(ARGS)

.PHONY: test-long
test-long: setup hadoop ## the tests that take minutes
	@$(PY) -m pytest -m long $(ARGS)

.PHONY: bench
bench: setup ## the table of ratios
	@$(PY) -m bench $(ARGS)

CHECKED := lib jobs dags tests bench scripts

.PHONY: check
check: setup ## format, lint, types, layers, links: all of them, then the verdict
	@$(MAKE) --keep-going check-format check-lint check-types check-layers check-links check-names

.PHONY: check-format check-lint check-types check-layers check-links check-names
check-format: setup
	$(PY) -m ruff format --check $(CHECKED)
check-lint: setup
	$(PY) -m ruff check $(CHECKED)
check-types: setup
	$(PY) -m mypy
check-layers: setup
	.venv/bin/lint-imports --config setup.cfg
check-links: setup
	$(PY) scripts/check_links.py
check-names: setup
	$(PY) scripts/check_names.py
