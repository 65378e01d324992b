# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later

# The interpreter that environments are made from, and the one inside.
PYTHON ?= python3
PY := .venv/bin/python

# make run: where the proxy listens, and the folder that keeps all data.
LISTEN ?= 127.0.0.1
NETWORK_PORT ?= 9696
IDENTITY_PORT ?= 35357
STATE ?= .run

# make install
PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
MANDIR ?= $(PREFIX)/share/man
DATADIR := $(PREFIX)/share/ovirt-provider-ovn
# The host's part; its hooks are started by this interpreter.
HOST_DATADIR := $(PREFIX)/share/ovirt-provider-ovn-driver
HOST_PYTHON ?= /usr/bin/python3
# Modules come compiled, as who runs them may not write beside them. Packaging tools change
# the times of files: so a compiled module knows its source by content.
COMPILE_PYTHON ?= $(HOST_PYTHON)
COMPILE = umask 022 && "$(COMPILE_PYTHON)" -m compileall -q --invalidation-mode checked-hash \
	-s "$(DESTDIR)" -p /
# make rpm: for which distributions, if not for that of this machine.
DIST ?=

# Tests wait more than they compute, so there are more at once than processors; but for those
# that measure time.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
AT_ONCE = -n $(WORKERS) --dist worksteal -m "not alone"

BENCH_ARGS ?=
SOAK_S ?= 600
SOAK_ARGS ?=
FAULTS_ARGS ?=
PROGRAMS := $(wildcard proxy vdsm_plugin scripts)
PROGRAMS += otopi
SOURCES := $(PROGRAMS) tests

export PYTHON
# What a test starts is mostly a process of its own: compiled once it starts in half the CPU.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run check lint format typecheck test-unit test-daemon test-system test-migration check-versions bench \
	faults rpm install install-proxy install-host clean tools-run tools-check tools-ansible

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'

run: tools-run ## an OVN of its own and the proxy: LISTEN, NETWORK_PORT, IDENTITY_PORT, STATE
	@exec $(PY) scripts/run.py --state "$(or $(STATE),.run)" --listen "$(LISTEN)" \
		--network-port "$(NETWORK_PORT)" --identity-port "$(IDENTITY_PORT)"

.PHONY: demo soak tools-demo
soak: tools-demo ## random use of a lab for SOAK_S seconds, then an audit: SOAK_ARGS; root
	@PYTHONPATH=proxy:vdsm_plugin:tests $(PY) -m system.soak.run --seconds $(SOAK_S) $(SOAK_ARGS)

demo: tools-demo ## two hosts with a virtual machine each, to look at; root
	@PYTHONPATH=proxy:vdsm_plugin:tests $(PY) tests/system/demo.py

check: lint typecheck tools-ansible ## everything that must pass: linters, types, all tests
	$(PY) -m pytest $(AT_ONCE)
	$(PY) -m pytest -m alone

lint: tools-check ## style and likely bugs
	$(PY) -m ruff check $(SOURCES)
	$(PY) -m ruff format --check $(SOURCES)

format: tools-check ## rewrite the sources in the project's style
	$(PY) -m ruff check --fix $(SOURCES)
	$(PY) -m ruff format $(SOURCES)

typecheck: tools-check ## types, strictly
	$(PY) -m mypy --python-version 3.9 $(PROGRAMS)
	$(PY) -m mypy tests

test-unit: tools-check ## tests without a process or a socket of OVN
	$(PY) -m pytest $(AT_ONCE) tests/unit

test-daemon: tools-check ## tests on real OVN daemons
	$(PY) -m pytest $(AT_ONCE) tests/daemon tests/clients tests/faults
	$(PY) -m pytest -m alone tests/daemon tests/faults

test-system: tools-check ## tests on packets between chassis in network namespaces; root
	$(PY) -m pytest $(AT_ONCE) tests/system
	$(PY) -m pytest -m alone tests/system

test-migration: tools-check ## tests on VMs that move between hosts; root
	$(PY) -m pytest -s tests/migration

check-versions: tools-check ## unit and daemon tests on each supported Python and ovs library
	scripts/check-versions

faults: tools-check ## long runs in which everything breaks: FAULTS_ARGS
	PYTHONPATH=proxy:tests $(PY) tests/faults/run.py $(FAULTS_ARGS)

bench: tools-check ## measure: BENCH_ARGS
	PYTHONPATH=proxy:tests $(PY) tests/bench/run.py $(BENCH_ARGS)

rpm: ## packages, into build/rpm, for this distribution or for DIST=el9, el10, fedora
	@scripts/rpm build/rpm $(DIST)

install: install-proxy install-host ## copy proxy and hooks: DESTDIR, PREFIX, SYSCONFDIR, HOST_PYTHON

install-proxy:
	cd proxy && find ovirt_ovn_proxy -type f ! -path '*/__pycache__/*' ! -path '*/.*' \
		-exec install -D -p -m 644 {} "$(DESTDIR)$(DATADIR)/{}" \;
	install -d "$(DESTDIR)$(PREFIX)/bin"
	sed 's|@DATADIR@|$(DATADIR)|' scripts/ovirt-provider-ovn.in \
		>"$(DESTDIR)$(PREFIX)/bin/ovirt-provider-ovn"
	chmod 755 "$(DESTDIR)$(PREFIX)/bin/ovirt-provider-ovn"
	$(COMPILE) "$(DESTDIR)$(DATADIR)/ovirt_ovn_proxy"
	install -d "$(DESTDIR)$(SYSCONFDIR)/ovirt-provider-ovn/conf.d"
	for file in $(wildcard proxy/etc/*.conf); do \
		target="$(DESTDIR)$(SYSCONFDIR)/ovirt-provider-ovn/$${file##*/}"; \
		[ -e "$$target" ] || install -D -p -m 600 "$$file" "$$target" || exit 1; \
	done
	install -D -p -m 644 proxy/logger.conf -t "$(DESTDIR)$(PREFIX)/share/doc/ovirt-provider-ovn"
	target="$(DESTDIR)$(SYSCONFDIR)/logrotate.d/ovirt-provider-ovn"; \
		[ -e "$$target" ] || install -D -p -m 644 proxy/etc/logrotate "$$target"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	for unit in ovirt-provider-ovn.service ovirt-provider-ovn-renew@.path ovirt-provider-ovn-renew.service; do \
		target="$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit"; \
		sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|' \
			"proxy/systemd/$$unit" >"$$target" && chmod 644 "$$target" || exit 1; \
	done
	for folder in sysusers tmpfiles; do \
		install -D -p -m 644 "proxy/systemd/$$folder.conf" \
			"$(DESTDIR)$(PREFIX)/lib/$$folder.d/ovirt-provider-ovn.conf" || exit 1; \
	done
	install -D -p -m 644 proxy/firewalld/ovirt-provider-ovn.xml \
		-t "$(DESTDIR)$(PREFIX)/lib/firewalld/services"
	install -D -p -m 644 man/ovirt-provider-ovn.8 -t "$(DESTDIR)$(MANDIR)/man8"
	install -D -p -m 644 man/ovirt-provider-ovn.conf.5 -t "$(DESTDIR)$(MANDIR)/man5"

install-host:
	cd vdsm_plugin && find hook.py ovirt_ovn_host -name '*.py' ! -path '*/.*' \
		-exec install -D -p -m 644 {} "$(DESTDIR)$(HOST_DATADIR)/{}" \;
	$(COMPILE) "$(DESTDIR)$(HOST_DATADIR)/ovirt_ovn_host"
	for hook in vdsm_plugin/hooks/*/50_ovn; do \
		target="$(DESTDIR)$(PREFIX)/libexec/vdsm/$${hook#vdsm_plugin/}"; \
		install -d "$${target%/*}" && sed -e 's|@PYTHON@|$(HOST_PYTHON)|' \
			-e 's|@DATADIR@|$(HOST_DATADIR)|g' "$$hook" >"$$target" && \
		chmod 755 "$$target" || exit 1; \
	done
	install -D -p -m 440 vdsm_plugin/sudoers \
		"$(DESTDIR)$(SYSCONFDIR)/sudoers.d/50_vdsm_hook_ovn"
	install -D -p -m 644 vdsm_plugin/firewalld/ovirt-provider-ovn-driver.xml \
		-t "$(DESTDIR)$(PREFIX)/lib/firewalld/services"
	install -D -p -m 644 man/vdsm-tool-ovn.8 -t "$(DESTDIR)$(MANDIR)/man8"

# vdsm-tool finds only what is beside VDSM's own modules.
PYTHON_SITELIB ?= $(shell $(HOST_PYTHON) -c 'import importlib.util as u, pathlib, sysconfig; \
	vdsm = u.find_spec("vdsm"); \
	print(pathlib.Path(vdsm.origin).parents[1] if vdsm else sysconfig.get_path("purelib"))')
TOOL_MODULES := $(patsubst vdsm_plugin/tool/%,%,$(wildcard vdsm_plugin/tool/*.py vdsm_plugin/tool/*/*.py))
HOST_SETTINGS := $(SYSCONFDIR)/ovirt-provider-ovn-driver
install-host: install-tool
.PHONY: install-tool
install-tool:
	for file in $(TOOL_MODULES); do \
		target="$(DESTDIR)$(PYTHON_SITELIB)/vdsm/tool/$$file"; \
		install -d "$${target%/*}" && \
		sed 's|@DATADIR@|$(HOST_DATADIR)|' "vdsm_plugin/tool/$$file" >"$$target" && \
		chmod 644 "$$target" || exit 1; \
	done
	$(COMPILE) $(addprefix "$(DESTDIR)$(PYTHON_SITELIB)/vdsm/tool"/,$(TOOL_MODULES))
	install -D -p -m 644 vdsm_plugin/systemd/50-ovirt-provider-ovn-driver.conf \
		-t "$(DESTDIR)$(PREFIX)/lib/systemd/system/ovn-controller.service.d"
	install -d "$(DESTDIR)$(HOST_SETTINGS)/conf.d"
	[ -e "$(DESTDIR)$(HOST_SETTINGS)/ovn.conf" ] || \
		install -p -m 644 vdsm_plugin/etc/ovn.conf "$(DESTDIR)$(HOST_SETTINGS)/ovn.conf"

# The plugin in the group of an engine's host deployment, and the same as a group of its own.
OTOPI_PLUGIN := ovirt-host-deploy/plugins/ovirt-host-deploy/ovn
install: install-otopi
.PHONY: install-otopi
install-otopi:
	for file in otopi/plugins/ovirt-host-deploy/ovn/*.py; do \
		install -D -p -m 644 "$$file" \
			"$(DESTDIR)$(PREFIX)/share/$(OTOPI_PLUGIN)/$${file##*/}" || exit 1; \
	done
	$(COMPILE) "$(DESTDIR)$(PREFIX)/share/$(OTOPI_PLUGIN)"
	install -d "$(DESTDIR)$(PREFIX)/share/otopi/plugins/ovirt-ovn"
	ln -sfn ../../../$(OTOPI_PLUGIN) "$(DESTDIR)$(PREFIX)/share/otopi/plugins/ovirt-ovn/ovn"
	install -D -p -m 644 otopi/ansible/ovirt-host-deploy-post-tasks.yml \
		"$(DESTDIR)$(PREFIX)/share/doc/ovirt-provider-ovn-otopi/ovirt-host-deploy-post-tasks.yml"

clean: ## remove what the targets above leave behind, except the data of make run
	rm -rf .venv .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

tools-run:
	@scripts/system-packages run
	@scripts/venv run

tools-demo:
	@scripts/system-packages demo
	@scripts/venv tests

tools-check:
	@scripts/system-packages check
	@scripts/venv check

tools-ansible:
	@VENV=.venvs/ansible scripts/venv ansible
