# The commands of this repository; README.md says what each is for. `make` alone is `make run`.

# From PyPI, each line an environment of its own; then from crates.io.
CARGO_LAMBDA    := cargo-lambda@1.9.2
SAM             := aws-sam-cli@1.170.0+cfn-lint@1.58.0
CONTRACT        := schemathesis@4.32.5+openapi-python-client@0.29.1
CARGO_DENY      := cargo-deny@0.20.2
CARGO_MUTANTS   := cargo-mutants@27.1.0
CARGO_CYCLONEDX := cargo-cyclonedx@0.5.9

SHELL := bash
.SHELLFLAGS := -o pipefail -c
TOOLS := $(CURDIR)/.tools
pip = $(1:%=$(TOOLS)/pip/%/ready)
export PATH := $(TOOLS)/bin:$(TOOLS)/pip/$(CARGO_LAMBDA)/bin:$(TOOLS)/pip/$(SAM)/bin:$(PATH)
# A step that takes long: what it does, then how long it took.
step = echo "==> $(1)" && start=$$SECONDS && $(2) && took=$$((SECONDS - start)) && \
  echo "==> $(firstword $(1)) took $$((took / 60)) min $$((took % 60)) s"

.PHONY: run demo token test soak contract faults race fsck fsck-at-scale rehearse-restore check check-speed advisories \
  mutants fuzz build deploy bench ci

# The function on this machine, on a local database: PORT=9000 DATABASE_PORT=8000; ONCE=1 stops after the first answer.
run: $(call pip,$(CARGO_LAMBDA))
	@$(call step,building the local database and the function: about 2 minutes the first time,cargo build --bin local --bin project-flows)
	@PORT=$(PORT) DATABASE_PORT=$(DATABASE_PORT) exec target/debug/local serve $(if $(ONCE),--once)

# The life of one flow, in requests and answers, on the function that `make run` serves: PORT=9000.
demo:
	@PORT=$(PORT) cargo run --bin local -- demo
# A development token for CLIENT, good for a day.
token:
	@$(if $(CLIENT),,$(error CLIENT: expected the client of the token, as in `make token CLIENT=client_1`))
	@cargo run $(if $(wildcard target/debug/local),--quiet) --bin local -- token $(CLIENT)

# Everything, against a real engine in process.
test:
	@$(call step,building the tests,cargo test --no-run)
	cargo test -- --test-threads=4
# The same with what takes too long for each change: all at length and at scale, and 100,000 inputs for each property.
soak:
	PROPTEST_CASES=100000 cargo test --release --test api -- --include-ignored --nocapture --test-threads=1

# The running function against openapi.yaml: a generated client, then REQUESTS requests (10,000, some minutes; at least
# 1,000) of schemathesis with all its checks. PORT=9010 DATABASE_PORT=8010.
contract: $(call pip,$(CARGO_LAMBDA) $(CONTRACT))
	@$(call step,building the local database and the function,cargo build --bin local --bin project-flows)
	@PORT=$(PORT) DATABASE_PORT=$(DATABASE_PORT) REQUESTS=$(REQUESTS) PATH="$(TOOLS)/pip/$(CONTRACT)/bin:$$PATH" tests/contract/run

# The table of faults and what comes of each; docs/restore.md, as far as a local engine goes.
faults rehearse-restore:
	cargo test --test api $(if $(filter faults,$@),faults::,restore::) -- --nocapture
# 64 writers on one flow: 100,000 updates, and 10,000 with one call in five lost or refused; and the judge's verdict.
race:
	cargo test --release --test api race::at_length -- --ignored --nocapture --test-threads=1

# Checks the table TABLE_NAME, of the account and region that the usual AWS variables name; docs/restore.md.
fsck:
	@cargo run --bin fsck
# What that takes on 1,000 and on 10,000 flows, on a local engine.
fsck-at-scale:
	cargo test --test api fsck::at_scale -- --ignored --nocapture

# What a change must pass beside the tests; then known weaknesses of the dependencies, from a database outside.
check: $(call pip,$(SAM)) $(TOOLS)/cargo/$(CARGO_DENY)
	cargo fmt --all --check
	cargo clippy --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps
	tools/compiled-once
	cfn-lint template.yaml
	python3 docs/costs.py --check
	cargo deny check bans licenses sources
advisories: $(TOOLS)/cargo/$(CARGO_DENY)
	cargo deny check advisories

# Instructions of each operation, against benches/instructions.json: fails where one is 3 % above. Needs valgrind.
# RECORD=1 writes them down instead.
check-speed:
	@command -v valgrind >/dev/null || { echo "==> installing valgrind" && apt-get install --yes --quiet valgrind; }
	@$(call step,building the function for release,cargo build --release --package project-flows --bin project-flows)
	BINARY=target/release/project-flows cargo bench --profile dev --bench speed -- $(if $(RECORD),record,check)

# Changes the code in every way that should turn a test red, and names the ways that do not (an hour or two).
mutants: $(TOOLS)/cargo/$(CARGO_MUTANTS)
	cargo mutants --jobs 4 --output target
# Attacks each way in for SECONDS=60. What is found lands in fuzz/artifacts.
fuzz:
	@$(call step,building the fuzz targets,fuzz/run build)
	@$(call step,fuzzing,fuzz/run $(or $(SECONDS),60))

# The package that Lambda runs, in target/lambda/project-flows, and what is in it. ARCH=arm64 for the other processor.
build: $(call pip,$(CARGO_LAMBDA)) $(TOOLS)/cargo/$(CARGO_CYCLONEDX)
	tools/package $(or $(ARCH),x86_64)

# Deploys to ENVIRONMENT, development or production, as samconfig.toml says. KEYS=keys.json hands over the keys that verify
# tokens: the first time, and whenever they change.
deploy: $(call pip,$(CARGO_LAMBDA) $(SAM))
	@$(if $(filter development production,$(ENVIRONMENT)),,$(error ENVIRONMENT: expected development or production, \
	  as in `make deploy ENVIRONMENT=development`))
	sam validate --config-env $(ENVIRONMENT)
	sam build --config-env $(ENVIRONMENT)
	@trap 'rm -f .aws-sam/release.yaml' EXIT; umask 077 && \
	  python3 examples/release.py $(KEYS) > .aws-sam/release.yaml && sam deploy --config-env $(ENVIRONMENT)

# Times, memory and size of a create beside the SDK's own call, an empty function and the same in Node.js and Python; what a
# page of a list costs. Draws benches/speed.svg anew.
bench:
	benches/peers/build $(TOOLS)/peers
	cargo build --release --bin project-flows --example floor --example raw
	cargo bench --bench speed
	cargo test --release --test api pages:: -- --ignored --nocapture

# What every change must pass, in a clean clone: .ci/run. What is built for release is built beside the rest.
ci:
	@tools/side-by-side "make run ONCE=1 && make check && make contract REQUESTS=1000" "make fuzz && make check-speed"
	@$(MAKE) --no-print-directory test

$(TOOLS)/pip/%/ready:
	@echo "==> installing $(subst +, and ,$*) into .tools"
	@python3 -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(subst @,==,$(subst +, ,$*)) && touch $@
$(TOOLS)/cargo/%:
	@$(call step,building $* into .tools,cargo install --locked --debug --root $(TOOLS) $*)
	@mkdir -p $(@D) && touch $@
