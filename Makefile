# Poolferry. `make demo` and `make test` need Go alone; every other target says what it misses.

GO            ?= go
GOLANGCI      := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
TFLINT        := github.com/terraform-linters/tflint@v0.64.0
FUZZTIME      ?= 20000x

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: ## move the users of a rehearsal pool, on this machine, without AWS
	$(GO) run ./tools/poolferry demo

.PHONY: test
test: ## all tests that need nothing but Go
	$(GO) test ./...

.PHONY: race
race: ## the same under the race detector, with fewer deaths in the tests that kill (needs a C compiler)
	@command -v $${CC:-cc} >/dev/null || { echo "make race: no C compiler: install gcc, or set CC" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -short ./...

.PHONY: lint
lint: ## formatting, vet, go.mod, golangci-lint (built from source on first use)
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) run $(GOLANGCI) run ./...

.PHONY: build
build: ## the command line tool into bin/, the Lambda functions, built and zipped, into dist/
	$(GO) build -trimpath -o bin/poolferry ./tools/poolferry
	$(GO) run ./tools/pack -go "$(GO)"

.PHONY: bench
bench: ## the numbers of docs/numbers.md, measured here and now
	$(GO) run ./test/bench

.PHONY: interop
interop: ## components that others wrote: cognito-local, the AWS SDK for JavaScript (needs Node.js and npm)
	@command -v npm >/dev/null || { echo "make interop: npm is missing: install Node.js 20 or newer" >&2; exit 1; }
	cd test/interop && npm ci --ignore-scripts --no-audit --no-fund
	POOLFERRY_REQUIRE=interop $(GO) test -count=1 ./test/interop/...

.PHONY: browser
browser: ## the report in Chromium (needs Node.js, npm and Chromium; POOLFERRY_SCREENSHOTS=DIR keeps pictures)
	@command -v npm >/dev/null || { echo "make browser: npm is missing: install Node.js 20 or newer" >&2; exit 1; }
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || { echo "make browser: $${CHROMIUM:-chromium} is missing: install the package chromium, or set CHROMIUM to the path of one" >&2; exit 1; }
	cd test/browser && npm ci --ignore-scripts --no-audit --no-fund
	POOLFERRY_REQUIRE=browser POOLFERRY_SCREENSHOTS="$(abspath $(POOLFERRY_SCREENSHOTS))" $(GO) test -count=1 ./test/browser/...

.PHONY: infra
infra: ## the Terraform modules without AWS (needs Terraform 1.9; TF_PLUGIN_DIR=DIR has the provider, empty: the registry)
	@command -v terraform >/dev/null || { echo "make infra: terraform is missing: install Terraform 1.9 or newer" >&2; exit 1; }
	cd infra && $(GO) run $(TFLINT) --recursive --config="$$PWD/.tflint.hcl"
	POOLFERRY_REQUIRE=infra TF_PLUGIN_DIR="$(abspath $(TF_PLUGIN_DIR))" $(GO) test -count=1 -timeout 30m ./infra/...

.PHONY: fidelity
fidelity: ## the sandbox's Step Functions against a file of recorded cases: ASL_CASES=FILE
	@test -f "$(ASL_CASES)" || { echo "make fidelity: ASL_CASES=$(ASL_CASES) is not a file: name one with recorded cases" >&2; exit 1; }
	@ASL_CASES="$(abspath $(ASL_CASES))" $(GO) test -count=1 -v -run TestFidelity ./test/fidelity

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (a count such as 20000x, or a time such as 1m)
	@$(GO) list -f '{{.Dir}}' ./... | while read -r dir; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | sed 's/^func //' | while read -r target; do \
			echo "$$dir: $$target"; \
			(cd $$dir && $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) . </dev/null) || exit 1; \
		done || exit 1; \
	done
