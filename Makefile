# oauth2d: everything that is done to it. Needs Rust, make and a C linker.

TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
BUILT := $(or $(CARGO_TARGET_DIR),target)
STATIC := $(BUILT)/$(TARGET)/release/oauth2d
# Where the sources of dependencies are, which the executable must not reveal.
CARGO_HOME ?= $(HOME)/.cargo

# $(call need,COMMAND,how to get it): one line instead of an error of the shell's.
need = @command -v $(1) >/dev/null || { echo "make $@: $(1) is not there: $(2)" >&2; exit 1; }
COMMA := ,
NODE := Node.js 20 or newer brings it (Debian: apt-get install nodejs npm)
PYTHON := apt-get install python3 python3-venv (Debian)

.PHONY: run test soak dist bench lint deny apps browser container proxies replicas mcp units power fuzz \
	mutants clean

# The build shows its progress, then only the program's own lines follow.
run:
	cargo build --release
	cargo run --quiet --release

# Then the integration tests once more with an engine in place of memory, but for those that say
# nothing of one; how many tests that leaves out where there is none.
ENGINE_TESTS := cargo test --test integration --
LEFT_OUT := tests/integration/engine/left_out
test:
	cargo test
	@if command -v redis-server >/dev/null; then \
	  echo "with an engine, but for what $(LEFT_OUT) names"; \
	  OAUTH2D_TEST_STORE=1 $(ENGINE_TESTS) $$(awk '!/^#/ && NF {print "--skip", $$1}' $(LEFT_OUT)); \
	else \
	  echo "make test: redis-server is not there: left out" \
	    "$$($(ENGINE_TESTS) --list engine:: --skip everywhere 2>/dev/null | grep -c ': test$$') tests with an engine," \
	    "and the others once more with one (apt-get install redis-server, Debian)"; \
	fi

# The attacks that need volume, and the result of each; some three minutes.
soak:
	cargo test --release --test integration soak_ -- --ignored --nocapture --test-threads 1

# One statically linked, stripped file, without any path of whoever built it. Only the program is
# linked like this: build scripts and procedural macros need the system's libraries, hence the explicit
# target. RUSTFLAGS replaces what .cargo/config.toml says, so its flag is repeated here.
STATICALLY := -C target-feature=+crt-static -C relocation-model=static \
	--cfg getrandom_backend=\"linux_getrandom\"
PATHLESS := --remap-path-prefix=$(CARGO_HOME)=cargo --remap-path-prefix=$(CURDIR)=.
dist:
	@case $(TARGET) in *-linux-*) ;; \
	  *) echo "make dist: a static executable is for Linux; here, cargo build --release makes one" \
	    "that needs the system's own libraries alone" >&2; exit 1;; esac
	cargo fetch --quiet --target $(TARGET)
	RUSTFLAGS="$(STATICALLY) $(PATHLESS) \
	  $$(printf -- '--remap-path-prefix=%s=crates ' $(CARGO_HOME)/registry/src/*)" \
	  cargo build --release --target $(TARGET)
	mkdir -p dist
	install -m 755 $(STATIC) dist/oauth2d

# The benchmark, as a table; `make bench PART=throughput` is for a part of it, and a wrong part lists
# them all. It takes some minutes and needs the machine for itself.
bench:
	cargo bench --quiet --bench bench -- $(PART)

# The pages and the tour in real Chromium, and what axe says about them.
browser:
	$(call need,npm,$(NODE))
	$(call need,$(or $(CHROMIUM),/usr/bin/chromium),apt-get install chromium (Debian)$(COMMA) or set CHROMIUM to another)
	cargo build --quiet
	cd tests/browser && npm ci --silent --no-audit --no-fund
	node tests/browser/run.mjs $(abspath $(BUILT))/debug/oauth2d
	node tests/browser/lost.mjs $(abspath $(BUILT))/debug/oauth2d
	node tests/browser/tour.mjs $(abspath $(BUILT))/debug/oauth2d

# The README's container, if Docker can run here; otherwise it says so.
container:
	$(call need,docker,docs.docker.com/engine/install)
	tests/container.sh

# A minute for each fuzzer, from the corpus that is kept; needs cargo-fuzz and a nightly Rust.
fuzz:
	$(call need,cargo-fuzz,cargo install cargo-fuzz; rustup toolchain install nightly)
	for target in http config state json resp; do \
	  mkdir -p $(BUILT)/fuzz-corpus/$$target && \
	  cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target $(BUILT)/fuzz-corpus/$$target \
	    tests/fuzz/corpus/$$target -- -max_total_time=60 -max_len=4096 || exit 1; \
	done

# Signing users in to real applications, and what client libraries make of the bench's faults, by
# the README's own recipes; needs Python with venv, and Node.js.
APPS := $(or $(CARGO_TARGET_DIR),target)/apps
apps:
	$(call need,python3,$(PYTHON))
	$(call need,npm,$(NODE))
	cargo build --quiet
	python3 -m venv $(APPS)
	$(APPS)/bin/pip install --quiet --disable-pip-version-check -r tests/apps/requirements.txt
	cd tests/apps && npm ci --silent --no-audit --no-fund
	$(APPS)/bin/python tests/apps/run.py $(BUILT)/debug/oauth2d

# Forward-auth in the real nginx, Caddy and HAProxy, by the README's own recipes.
proxies:
	$(call need,python3,$(PYTHON))
	$(call need,nginx,apt-get install nginx (Debian))
	$(call need,caddy,apt-get install caddy (Debian))
	$(call need,haproxy,apt-get install haproxy (Debian))
	cargo build --quiet
	tests/proxies/run.py $(BUILT)/debug/oauth2d
	tests/proxies/publish.py $(BUILT)/debug/oauth2d

# Two replicas on a real engine behind nginx, by the README's own recipes, restarted under load.
replicas:
	$(call need,python3,$(PYTHON))
	$(call need,nginx,apt-get install nginx (Debian))
	$(call need,redis-server,apt-get install redis-server (Debian))
	cargo build --quiet
	tests/proxies/replicas.py $(BUILT)/debug/oauth2d

# The official MCP SDKs' own clients and server, with nginx and Caddy between them by the README's
# recipes; it says what it had to leave out.
mcp:
	$(call need,python3,$(PYTHON))
	cargo build --quiet
	tests/mcp/run.py $(BUILT)/debug/oauth2d

# The README's systemd units, by systemd-analyze.
units:
	tests/units.sh

# Power cuts under a working server; needs root, a loop device with ext4, Python and strace, and says
# what it had to leave out.
power:
	$(call need,python3,$(PYTHON))
	cargo build --quiet
	tests/power/run.py $(BUILT)/debug/oauth2d

# Formatting, lints and docs, and that the fuzzers still compile: without libFuzzer's own library,
# which only running them needs.
lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	CUSTOM_LIBFUZZER_PATH=./none cargo check --quiet --locked --manifest-path tests/fuzz/Cargo.toml \
	  --target-dir $(BUILT)/fuzz-check

# Which faults in the rules and in the HTTP layer no test would notice; needs cargo-mutants. The unit
# tests come first, seconds for each fault, then all tests for the faults that survive. It takes hours
# altogether: `make mutants FILES='-f src/oauth/revoke.rs'` or `SHARD=0/8` for a part.
FILES ?= -f 'src/oauth/grants/*.rs' -f 'src/store/*.rs' -f src/http/request.rs -f src/http/body.rs \
	-f src/http/connection.rs
mutants:
	$(call need,cargo-mutants,cargo install cargo-mutants)
	cargo mutants $(FILES) --shard $(or $(SHARD),0/1) -- --bin oauth2d || \
	  cargo mutants $(FILES) --shard $(or $(SHARD),0/1) --iterate

# Licences, sources and duplicates of all dependencies; needs cargo-deny.
deny:
	$(call need,cargo-deny,cargo install cargo-deny)
	cargo deny --all-features --config .ci/deny.toml check bans licenses sources

clean:
	rm -rf target dist
