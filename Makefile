# Two doors: `make demo` and `make test`. Each installs what is missing (cmake/packages.txt),
# configures, builds and runs; run again, it only does what has changed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
JOBS ?= $(shell nproc)
MINUTES ?= 60
SEED ?= 1000000

.PHONY: help demo test asan tsan clang asan-clang shared test-all bench deep soak upgrade same-trace tidy format clean deps deps-clang deps-lint

help:
	@echo "make demo       peers gossip this repository's history to agreement (ARGS=--help)"
	@echo "make test       build and test (release)"
	@echo "make test-all   release and asan, with g++ and clang; shared libraries"
	@echo "make asan|tsan|clang|asan-clang|shared   one of them"
	@echo "make bench      benchmarks;  make deep, make soak (MINUTES=60): hours of searching"
	@echo "make upgrade    a store that an earlier commit made (COMMIT=HEAD^) opens with this build"
	@echo "make same-trace   the simulator runs alike as g++ and as clang builds it"
	@echo "make tidy|format|clean"

deps:
	@cmake/install-packages build
deps-clang:
	@cmake/install-packages build clang
deps-lint:
	@cmake/install-packages build clang lint

# A build directory is configured once; afterwards Ninja runs CMake when it must.
build/%/build.ninja: CMakePresets.json | deps
	@cmake --preset $*
	@touch $@
build/%-clang/build.ninja: CMakePresets.json | deps-clang
	@cmake --preset $*-clang
	@touch $@

define preset-test
	@cmake --build --preset $(1) -j $(JOBS)
	@ctest --preset $(1) -j $(JOBS)
endef

test: deps build/release/build.ninja
	$(call preset-test,release)
asan: deps build/asan/build.ninja
	$(call preset-test,asan)
tsan: deps build/tsan/build.ninja
	$(call preset-test,tsan)
shared: deps build/shared/build.ninja
	$(call preset-test,shared)
clang: deps-clang build/release-clang/build.ninja
	$(call preset-test,release-clang)
asan-clang: deps-clang build/asan-clang/build.ninja
	$(call preset-test,asan-clang)
test-all:
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory clang
	@$(MAKE) --no-print-directory asan-clang
	@$(MAKE) --no-print-directory shared

demo: deps build/release/build.ninja
	@cmake --build --preset release -j $(JOBS) --target gossip
	@build/release/demos/gossip $(ARGS)

bench: deps build/release/build.ninja
	@cmake --build --preset release -j $(JOBS)
	@bench/run $(ARGS)

deep: deps build/release/build.ninja
	@cmake --build --preset release -j $(JOBS)
	@ctest --test-dir build/release -C $@ -L '^$@$$' -j $(JOBS) --output-on-failure --no-tests=error
# The simulator goes on for MINUTES, on two cores and with other seeds each time SEED is another.
soak: deps build/release/build.ninja
	@cmake --build --preset release -j $(JOBS)
	@SYNCLINE_SOAK_MINUTES=$(MINUTES) SYNCLINE_SOAK_SEED=$(SEED) \
	  ctest --test-dir build/release -C $@ -L '^$@$$' -j $(JOBS) --output-on-failure --no-tests=error -V

upgrade: deps build/release/build.ninja
	@cmake --build --preset release -j $(JOBS) --target sample_store
	@JOBS=$(JOBS) tests/store/earlier_commit $(COMMIT)

same-trace: deps deps-clang build/release/build.ninja build/release-clang/build.ninja
	@cmake --build --preset release -j $(JOBS) --target sim_run
	@cmake --build --preset release-clang -j $(JOBS) --target sim_run
	@tests/sim/same_trace build/release/tests/sim/sim_run build/release-clang/tests/sim/sim_run

SOURCES = $(shell git ls-files '*.h' '*.cc')
tidy: deps-lint build/release-clang/build.ninja
	@cmake --build --preset release-clang -j $(JOBS)
	@clang-tidy-14 -p build/release-clang --quiet $(filter %.cc,$(filter-out tests/consumer/%,$(SOURCES)))
format: deps-lint
	@clang-format-14 -i $(SOURCES)

clean:
	rm -rf build
