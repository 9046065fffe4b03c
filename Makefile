# Every target makes the virtual environment first if it is missing: a fresh machine needs only
# Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test check format clean

install: .venv/installed

# Pinned, so that a new release of anything cannot break a fresh machine.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch .venv/installed

demo: install
	rm -rf demo
	$(BIN)/selfsight train digits --out demo/run --encoder convnet --size 16 --held-out 0.3 --minutes 1.5

test: install
	$(BIN)/pytest -n 2 --dist loadgroup

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code,undefined-variable src/selfsight
	$(BIN)/pytest -n 2 --dist loadgroup

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv demo
