# The commands of this repository; README.md says what each is for.

CARGO_LAMBDA := 1.9.2
CFN_LINT     := 1.58.0
CARGO_DENY   := 0.20.2
CARGO_FUZZ   := 0.13.2
CARGO_MUTANTS := 27.1.0

TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS)/bin:$(TOOLS)/python/bin:$(PATH)

.PHONY: run demo test faults race fsck fsck-at-scale rehearse-restore check mutants fuzz build bench check-speed token
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
check: $(TOOLS)/cfn-lint-$(CFN_LINT) $(TOOLS)/cargo-deny-$(CARGO_DENY)
	cargo fmt --check
	cargo clippy --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps
	cfn-lint template.yaml
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

# The package that Lambda runs: target/lambda/project-flows/bootstrap.zip; ARCH=arm64 for the other processor.
build: $(TOOLS)/cargo-lambda-$(CARGO_LAMBDA)
	cargo lambda build --release --output-format zip $(if $(filter arm64,$(ARCH)),--arm64,--x86-64)

# Times, memory and size of the release build, beside the SDK's own call; what a page of a list costs.
bench: release
	cargo bench --bench speed
	cargo bench --bench list

# Instructions of each operation, against benches/instructions.json: fails where one is 3 % above. Needs valgrind.
check-speed: release
	cargo bench --quiet --bench speed -- check

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

$(TOOLS)/cfn-lint-$(CFN_LINT): | $(TOOLS)/python
	@echo "==> installing cfn-lint $(CFN_LINT) into .tools"
	@python -m pip install --quiet --disable-pip-version-check cfn-lint==$(CFN_LINT)
	@touch $@

$(TOOLS)/cargo-%:
	@echo "==> building cargo-$* into .tools (a few minutes, once)"
	@cargo install --quiet --locked --root $(TOOLS) cargo-$(subst -,@,$*)
	@touch $@
