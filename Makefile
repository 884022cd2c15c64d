# oauth2d: everything that is done to it. Needs Rust, make and a C linker.

TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
STATIC := target/$(TARGET)/release/oauth2d

.PHONY: run test dist bench lint browser proxies fuzz clean

run:
	cargo run --quiet --release

test:
	cargo test

# One statically linked, stripped file. Only the program is linked so: build scripts and
# procedural macros need the system's libraries, hence the explicit target.
dist:
	RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static" cargo build --release --target $(TARGET)
	mkdir -p dist
	cp $(STATIC) dist/oauth2d

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

clean:
	rm -rf target dist
