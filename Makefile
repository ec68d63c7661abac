# For people: CMake and its presets do the building, this file strings the steps together.
FUZZ_TIME ?= 60
CTEST_FLAGS ?= --output-on-failure

# $(call build,preset,folder)
build = { [ -f $(2)/build.ninja ] || cmake --preset $(1); } && cmake --build --preset $(1)

.PHONY: help run test bench lint format fuzz clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 10

run: ## build, then start the demo at http://localhost:3000/ (PORT=… for another port)
	@deploy/setup run
	@$(call build,release,build) --target peal peal-gateway peal-worker
	@exec deploy/run

test: ## build with sanitizers and run every test (CTEST_FLAGS="-R name" for some)
	@deploy/setup test
	@$(call build,asan,build/asan)
	@$(call build,release,build)
	@ctest --test-dir build/asan $(CTEST_FLAGS)

bench: ## measure Peal beside Node's Socket.IO and write docs/performance*.md (quiet machine, 10 minutes)
	@deploy/setup run bench
	@$(call build,release,build)
	@tests/bench/run

lint: ## check includes, banned functions, layout and the generated document
	@status=0; for rule in tests/lint/*.sh; do \
	    echo "$$rule"; $$rule; code=$$?; [ $$code = 0 ] || [ $$code = 77 ] || status=1; \
	done; exit $$status

format: ## lay out all C files
	@tests/lint/format.sh -i

fuzz: ## fuzz each decoder for FUZZ_TIME seconds (60); a crash is kept in tests/fuzz/regression
	@deploy/setup run fuzz
	@$(call build,fuzz,build/fuzz)
	@set -e; for program in build/fuzz/tests/fuzz/fuzz_*; do \
	    [ -x "$$program" ] && [ ! -d "$$program" ] || continue; name=$${program##*/fuzz_}; \
	    found=build/fuzz/found/$$name; past=tests/fuzz/regression/$$name; mkdir -p $$found $$past; \
	    dict=tests/fuzz/dict/$$name.dict; [ -f $$dict ] && dict=-dict=$$dict || dict=; \
	    echo "== $$name"; \
	    $$program -max_total_time=$(FUZZ_TIME) -timeout=10 -print_final_stats=1 $$dict \
	        -artifact_prefix=$$past/ $$found tests/fuzz/corpus/$$name $$past; \
	done

clean: ## remove everything that was built
	rm -rf build
