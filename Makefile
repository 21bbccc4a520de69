# Two commands matter: `make demo` shows Bongsu at work, `make test` proves it. The rest are their parts.
.PHONY: demo test faults versions build check deny real-systems fuzz mutants image build-packages

CARGO ?= cargo

demo: build
	@exec target/debug/bongsu up --demo

build-packages:
	@scripts/build-packages

build: build-packages
	$(CARGO) build --locked -p bongsu

# Everything, the end-to-end test first of all. The first run installs the real systems, which takes minutes.
test: build
	@tests/real/install
	$(CARGO) test --locked -p tests --no-fail-fast
	$(MAKE) check
	$(CARGO) test --locked --workspace --exclude tests --no-fail-fast
	@$(MAKE) deny

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deny:
	@tests/real/deny

real-systems:
	@tests/real/install

# The OCI image and its bill of materials in target/image, without a container engine.
image: build-packages
	$(CARGO) build --locked --release -p bongsu
	@tests/real/install umoci cargo-cyclonedx
	@scripts/image target/release/bongsu target/image
	@scripts/sbom target/image

# An hour for each reader of what comes from outside; SECONDS=600 for less.
SECONDS ?= 3600
fuzz:
	@scripts/fuzz $(SECONDS)

# Each thing that a core decides is changed once, and the quick tests have to notice. CORE=oncall for one core.
CORE ?= all
mutants:
	@scripts/mutants-woven $(CORE)

# Row 40 of the faults: this version and the one before, mixed, up and down. PREVIOUS=PATH of its program, such as one taken out of its image.
versions: build
	@tests/real/install kafka
	BONGSU_PREVIOUS=$(abspath $(PREVIOUS)) $(CARGO) test --locked -p tests --test faults row_40 -- --ignored --nocapture

# The full form of the fault tests: hours. Each row prints its figure and what repeats it.
faults: build
	@tests/real/install
	BONGSU_FAULTS=full $(CARGO) test --locked -p tests --test faults -- --nocapture --test-threads 1
	BONGSU_KILL_RUNS=30 BONGSU_KILL_TIMES=4 $(CARGO) test --locked -p tests --test faults_kill -- --nocapture
