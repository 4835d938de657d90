# The same commands for people and for CI. `make` alone explains them.

CARGO ?= cargo
REPRISE := target/release/reprise

# cargo-nextest runs tests side by side; without it cargo's own runner does.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
# The whole suite needs the crash points: places where a test may end a process.
SUITE := --workspace --features crash-points

.PHONY: help run build test check bench demo generate fetch

help: ## explain these commands
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | while IFS='	' read -r name what; do printf 'make %-10s %s\n' "$$name" "$$what"; done

run: fetch build ## start everything on this machine: http://localhost:3000
	@exec $(REPRISE) up

build: ## build target/release/reprise
	$(CARGO) build --release --bin reprise

test: ## run the whole suite, on real servers that it starts itself
	@scripts/fetch --for-tests
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run $(SUITE)
else
	$(CARGO) test $(SUITE) --lib --bins --tests
endif

check: ## check format, lints and rules of dependency
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(SUITE) --all-targets -- -D warnings
	$(CARGO) test -q -p rules

bench: fetch build ## measure, against a plain service on the same Postgres
	@scripts/fetch --for-bench
	$(CARGO) build --release -p bench
	target/release/reprise-bench

demo: fetch build ## show one registration from request to row, on a scratch platform
	@$(REPRISE) demo --scratch

generate: ## write again what is generated: nats/nats-server.conf and snapshots
	REPRISE_GENERATE=1 $(CARGO) test $(SUITE) --lib --bins --tests generated

fetch:
	@scripts/fetch
