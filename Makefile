# The commands of this repository; README.md says what each is for.

CARGO_LAMBDA := 1.9.2
CFN_LINT     := 1.58.0
AWS_SAM_CLI  := 1.170.0
CARGO_DENY   := 0.20.2
CARGO_FUZZ   := 0.13.2
CARGO_MUTANTS := 27.1.0
CARGO_CYCLONEDX := 0.5.9
SCHEMATHESIS := 4.32.5
OPENAPI_PYTHON_CLIENT := 0.29.1

TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS)/bin:$(TOOLS)/python/bin:$(PATH)
# The SAM CLI and its linter, so that all checks judge the template alike.
SAM := $(TOOLS)/aws-sam-cli-$(AWS_SAM_CLI)-cfn-lint-$(CFN_LINT)
SAM_PYTHON := $(TOOLS)/sam/bin/python
export SAM_CLI_TELEMETRY := 0

.PHONY: run demo test contract faults race fsck fsck-at-scale rehearse-restore check advisories mutants fuzz build deploy bench check-speed token
.DEFAULT_GOAL := run

# The function on this machine, on a local database: PORT=9000 DATABASE_PORT=8000; ONCE=1 stops after the first answer.
run: $(TOOLS)/cargo-lambda-$(CARGO_LAMBDA)
	@echo "==> building the local database (a minute or two the first time)"
	@cargo build --quiet --example local
	@PORT=$(PORT) DATABASE_PORT=$(DATABASE_PORT) exec target/debug/examples/local serve $(if $(ONCE),--once)

# The life of one flow, in requests and answers, on the function that `make run` serves: PORT=9000.
demo:
	@PORT=$(PORT) cargo run --quiet --example local -- demo

# Everything, against a real engine in process.
test:
	cargo test

# The running function against openapi.yaml: a generated client, then REQUESTS requests (10,000, some minutes; at least
# 1,000) of schemathesis with all its checks. PORT=9010 DATABASE_PORT=8010.
contract: $(TOOLS)/cargo-lambda-$(CARGO_LAMBDA) $(TOOLS)/schemathesis-$(SCHEMATHESIS) \
  $(TOOLS)/openapi-python-client-$(OPENAPI_PYTHON_CLIENT)
	@cargo build --quiet --example local
	@PORT=$(PORT) DATABASE_PORT=$(DATABASE_PORT) REQUESTS=$(REQUESTS) tests/contract/run

# The table of faults and what comes of each.
faults:
	cargo test --test api faults:: -- --nocapture

# 64 writers on one flow: 100,000 updates, and 10,000 with one call in five lost or refused; and the judge's verdict.
race:
	cargo test --release --test api race::at_length -- --ignored --nocapture --test-threads=1

# Checks the table TABLE_NAME, of the account and region that the usual AWS variables name; docs/restore.md.
fsck:
	@cargo run --quiet --example fsck

# What that takes on 1,000 and on 10,000 flows, on a local engine.
fsck-at-scale:
	cargo test --test api fsck::at_scale -- --ignored --nocapture

# docs/restore.md, as far as a local engine goes.
rehearse-restore:
	cargo test --test api restore::

# What a change must pass beside the tests.
check: $(SAM) $(TOOLS)/cargo-deny-$(CARGO_DENY)
	cargo fmt --check
	cargo clippy --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps
	$(TOOLS)/sam/bin/cfn-lint template.yaml
	$(SAM_PYTHON) -B -m unittest discover --start-directory tests/deployment --pattern '*.py'
	python3 docs/costs.py --check
	cargo deny check bans licenses sources

# Changes the code in every way that should turn a test red, and names the ways that do not (an hour or two).
mutants: $(TOOLS)/cargo-mutants-$(CARGO_MUTANTS)
	cargo mutants --jobs 4 --output target

# Attacks each way in for SECONDS; needs a nightly compiler. What is found lands in fuzz/artifacts. There is no unsafe code
# to sanitize, and without a sanitizer it is many times as fast.
SECONDS := 60
FUZZ_TARGETS := event body token headers
fuzz: $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ)
	@mkdir -p $(FUZZ_TARGETS:%=fuzz/corpus/%)
	cargo +nightly fuzz build --sanitizer none
	$(foreach target,$(FUZZ_TARGETS),cargo +nightly fuzz run --sanitizer none $(target) fuzz/corpus/$(target) \
	  $(if $(filter event,$(target)),events,fuzz/seeds/$(target)) -- \
	  -max_total_time=$(SECONDS) -max_len=8192 -timeout=5 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 &&) true

# The package that Lambda runs, in target/lambda/project-flows: bootstrap.zip, the same bytes wherever it is built with the
# same tools, and what is in it (CycloneDX). ARCH=arm64 for the other processor.
build: export RUSTFLAGS := --remap-path-prefix=$(CURDIR)=/project-flows --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
build: $(TOOLS)/cargo-lambda-$(CARGO_LAMBDA) $(TOOLS)/cargo-cyclonedx-$(CARGO_CYCLONEDX)
	cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64,--x86-64)
	python3 examples/package.py target/lambda/project-flows/bootstrap
	cargo cyclonedx --quiet --format json --override-filename sbom.cdx \
	  --target $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
	@mv sbom.cdx.json target/lambda/project-flows/

# Known weaknesses of the dependencies, from a database outside.
advisories: $(TOOLS)/cargo-deny-$(CARGO_DENY)
	cargo deny check advisories

# Deploys to ENVIRONMENT, development or production, as samconfig.toml says. KEYS=keys.json hands over the keys that verify
# tokens: the first time, and whenever they change. .aws-sam/release.yaml is empty for the build, and gone afterwards.
deploy: deploy-environment $(TOOLS)/cargo-lambda-$(CARGO_LAMBDA) $(SAM)
	sam validate --config-env $(ENVIRONMENT)
	@trap 'rm -f .aws-sam/release.yaml' EXIT; mkdir -p .aws-sam && (umask 077; echo '{}' > .aws-sam/release.yaml) && \
	  sam build --config-env $(ENVIRONMENT) && \
	  $(SAM_PYTHON) examples/release.py $(ENVIRONMENT) $(KEYS) && \
	  sam deploy --config-env $(ENVIRONMENT)

.PHONY: deploy-environment
deploy-environment:
	@$(if $(filter development production,$(ENVIRONMENT)),,$(error ENVIRONMENT: expected development or production, \
	  as in `make deploy ENVIRONMENT=development`))

# Times, memory and size of a create beside the SDK's own call, an empty function and the same in Node.js and Python; what a
# page of a list costs. Draws benches/speed.svg anew.
bench: release peers
	cargo bench --bench speed
	cargo bench --bench list

# Instructions of each operation, against benches/instructions.json: fails where one is 3 % above. Needs valgrind.
check-speed: release
	@command -v valgrind >/dev/null || { echo "==> installing valgrind" && apt-get install --yes --quiet valgrind; }
	cargo bench --quiet --bench speed -- check

.PHONY: peers
peers: $(TOOLS)/peers/node/ready $(TOOLS)/peers/python/ready

.PHONY: release
release:
	cargo build --quiet --release --bin project-flows --example floor --example raw

# A development token for CLIENT, good for a day.
token:
	@$(if $(CLIENT),,$(error CLIENT: expected the client of the token, as in `make token CLIENT=client_1`))
	@cargo run --quiet --example local -- token $(CLIENT)

$(TOOLS)/python:
	@python3 -m venv $@

$(TOOLS)/cargo-lambda-$(CARGO_LAMBDA): | $(TOOLS)/python
	@echo "==> installing cargo-lambda $(CARGO_LAMBDA) into .tools"
	@python -m pip install --quiet --disable-pip-version-check cargo-lambda==$(CARGO_LAMBDA)
	@touch $@

$(SAM):
	@echo "==> installing aws-sam-cli $(AWS_SAM_CLI) and cfn-lint $(CFN_LINT) into .tools"
	@python3 -m venv $(TOOLS)/sam && mkdir -p $(TOOLS)/bin && ln -sf ../sam/bin/sam $(TOOLS)/bin/sam
	@$(SAM_PYTHON) -m pip install --quiet --disable-pip-version-check aws-sam-cli==$(AWS_SAM_CLI) cfn-lint==$(CFN_LINT)
	@touch $@

$(TOOLS)/schemathesis-$(SCHEMATHESIS): | $(TOOLS)/python
	@echo "==> installing schemathesis $(SCHEMATHESIS) into .tools"
	@python -m pip install --quiet --disable-pip-version-check schemathesis==$(SCHEMATHESIS)
	@touch $@

$(TOOLS)/openapi-python-client-$(OPENAPI_PYTHON_CLIENT): | $(TOOLS)/python
	@echo "==> installing openapi-python-client $(OPENAPI_PYTHON_CLIENT) into .tools"
	@python -m pip install --quiet --disable-pip-version-check openapi-python-client==$(OPENAPI_PYTHON_CLIENT)
	@touch $@

$(TOOLS)/cargo-%:
	@echo "==> building cargo-$* into .tools (a few minutes, once)"
	@cargo install --quiet --locked --root $(TOOLS) cargo-$(subst -,@,$*)
	@touch $@

# The peers of the benchmark. One that cannot be made here is left out of it, and nothing of an earlier one stays.
$(TOOLS)/peers/node/ready: $(wildcard benches/peers/node/*) benches/peers/node/.npmrc
	@echo "==> building the benchmark's Node peer into .tools"
	@rm -rf $(@D) && mkdir -p $(@D) && cp -R benches/peers/node $(@D)/source
	@{ command -v node && command -v npm; } >/dev/null && node -e 'process.exit(+(parseInt(process.versions.node) < 20))' && \
	  cd $(@D)/source && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && \
	  npm run build --silent && mv bundle/index.cjs .. && ln -s "$$(node -p process.execPath)" ../node && touch $@ || \
	  echo "==> left out: the Node peer, which needs node 20 or later, npm and a package registry"

$(TOOLS)/peers/python/ready: $(wildcard benches/peers/python/*)
	@echo "==> installing the benchmark's Python peer into .tools"
	@rm -rf $(@D) && mkdir -p $(@D)/package && cp benches/peers/python/*.py $(@D)/package
	@command -v python3 >/dev/null && python3 -m venv $(@D)/runtime && cd $(@D) && \
	  runtime/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
	    --requirement $(CURDIR)/benches/peers/python/runtime.txt && \
	  runtime/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
	    --target package --requirement $(CURDIR)/benches/peers/python/requirements.txt && \
	  runtime/bin/python -m pip uninstall --quiet --yes setuptools && \
	  runtime/bin/python -m compileall -q package && touch $@ || \
	  echo "==> left out: the Python peer, which needs a python3 that awslambdaric has a wheel for, and a package registry"
