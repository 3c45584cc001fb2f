# Every target installs what it needs. `make demo` is the place to begin.
PY := .venv/bin/python
.PHONY: setup setup-test demo run test check proto bench-call bench-kb bench-asr bench-tts clean

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

demo: setup            ## three simulated callers phone Hotline; the conversations are printed live
	@$(PY) -m hotline demo

run: setup             ## Hotline on 127.0.0.1 for a softphone and a browser
	@$(PY) -m hotline serve

test: setup-test check ## linters, types, all tests
	@$(PY) -m pytest -q

check: setup-test
	@$(PY) -m ruff check .
	@$(PY) -m mypy

proto: setup-test      ## common/pb from proto/
	@$(PY) -m common.rpc.generate

bench-call: setup
	@$(PY) -m bench.call

bench-kb: setup
	@$(PY) -m bench.kb

bench-asr: setup-test
	@$(PY) -m bench.asr

bench-tts: setup
	@$(PY) -m bench.tts

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache
