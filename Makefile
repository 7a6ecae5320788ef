# Shortcuts. Each prints the command that it runs: they are Ansible's own, and yours to use.
# `make help` lists the targets.

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Words for the command, such as ARGS="--limit node01" or ARGS="--check --diff".
ARGS ?=

# An opt-in: GPULAB_MITOGEN=1 make lab. The result is the same, the run is faster.
ifneq ($(GPULAB_MITOGEN),)
mitogen = ANSIBLE_STRATEGY=gpulab.core.mitogen
endif

.DEFAULT_GOAL := help
# Stages follow each other, also under `make -j`.
.NOTPARALLEL:
.PHONY: help setup lab up site verify sweep down clean test test-changed test-vm test-fast lint types unit docs readme-sample readme-picture bench lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what `make lab` needs: system packages, virtual environment
	scripts/bootstrap.sh lab

lab: setup up site ## build the sandbox, train on its nodes, print the acceptance report

up: setup ## start the sandbox's machines
	ansible-playbook playbooks/sandbox_up.yml

site: ## run every stage on the lab (ARGS="--limit node01")
	$(mitogen) ansible-playbook site.yml $(ARGS)

verify: ## verify, benchmark and report only, on machines that are already built
	$(mitogen) ansible-playbook site.yml --tags verify $(ARGS)

sweep: ## read and judge all machines' hardware at once (ARGS="--limit compute")
	ansible-playbook playbooks/sweep.yml $(ARGS)

down: ## remove the sandbox: its machines, networks and files
	ansible-playbook playbooks/sandbox_down.yml
	@echo "Kept for the next start: the image, downloads (.cache), .venv. reports/ and state/ are yours. \`make clean\` removes the sandbox's own there, too."

# Other labs' folders stay: the history of real parts cannot be made again.
clean: ## remove the sandbox, its image, reports and state, and the environments; other labs' stay
	if [ -x .venv/bin/ansible-playbook ]; then \
		ansible-playbook playbooks/sandbox_down.yml -e sandbox_remove_image=true -e sandbox_remove_past=true; fi
	if [ -L reports/latest ] && [ ! -e reports/latest ]; then rm reports/latest; fi
	rm -rf .cache .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis

test: ## set everything up and pass the tests but test-vm (three quarters of an hour on two cores)
	scripts/second_core.sh --check
	scripts/bootstrap.sh test
	scripts/run_tests.sh

test-changed: ## pass the parts of the tests that a change since BASE=main concerns
	scripts/bootstrap.sh test
	scripts/run_tests.sh changed $(or $(BASE),main)

test-vm: ## the two scenarios that emulation makes long: drivers and interfaces of machines with own kernels
	scripts/bootstrap.sh test
	scripts/run_tests.sh emulated

test-fast: ## lint, types and units, without root, machines or runs of playbooks
	scripts/bootstrap.sh dev
	scripts/run_tests.sh fast

lint: ## ansible-lint (production), yamllint, ruff
	scripts/run_tests.sh lint

types: ## mypy --strict
	scripts/run_tests.sh types

unit: ## unit tests
	scripts/run_tests.sh units

docs: ## write the generated pages and role READMEs again
	PYTHONPATH=python_modules python scripts/generate_docs.py

readme-sample: ## write README's sample of the report from reports/latest, after `make lab`
	PYTHONPATH=python_modules python scripts/readme_sample.py

readme-picture: ## take README's picture of the report's page (Chromium: scripts/bootstrap.sh test)
	PYTHONHASHSEED=0 PYTHONPATH=python_modules:tests/page:tests/unit/fleet python scripts/readme_picture.py

bench: ## measure what docs/performance.md prints, over an hour (ARGS="lab site": a part of it)
	scripts/bootstrap.sh test
	python scripts/bench.py $(ARGS)

lock: ## resolve the requirements again and write the lock files with their hashes (needs uv)
	scripts/lock.sh
