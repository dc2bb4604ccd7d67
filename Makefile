PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CORPUS ?= ../shared/corpus
CLIPS ?= tests/data

.PHONY: venv demo test check compatibility man fuzz bench baseline model entropy envelope filter clean

venv: $(VENV)/.done

# Torch is installed first, by its exact version, so that a local CPU wheel can serve.
$(VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install torch==2.13.0
	$(BIN)/pip install -e '.[test]'
	touch $@

demo: venv
	$(BIN)/python scripts/demo.py

test: venv
	$(BIN)/python -m pytest -q -n auto

check: test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Decode the golden payloads under the oldest and the newest supported Python and NumPy.
compatibility:
	$(PYTHON) scripts/compatibility.py

# Write the manual pages again after a change of the help texts.
man: venv
	$(BIN)/python scripts/manpages.py

# Decode a million damaged files, or for an hour.
fuzz: venv
	$(BIN)/python scripts/fuzz.py

# Measure CLIPS (a folder) with every metric; options such as --peer opus go into BENCH.
bench: $(VENV)/.bench
	$(BIN)/nacli bench $(CLIPS) $(BENCH)

$(VENV)/.bench: $(VENV)/.done
	$(BIN)/pip install -e '.[bench]'
	touch $@

# The figures that the quality gate of the tests compares with; save them when a better model ships.
baseline: venv
	$(BIN)/nacli bench tests/data --seconds 3 --bitrate 3 --metrics mel,stft,si_sdr,level \
		--save tests/data/baseline.json -f

RECIPES = training/recipes
TRAIN = $(BIN)/python scripts/train.py --recipe $(RECIPES)
EXPORT = $(BIN)/python scripts/export.py --recipe $(RECIPES)
FILTER = $(BIN)/python scripts/train_filter.py --recipe $(RECIPES)

# The checkpoint from nothing. Each recipe says what its run is for; the first two want a GPU.
model: venv
	$(BIN)/python scripts/corpus.py --part-one $(CORPUS) --out data/corpus
	$(TRAIN)/wide-reconstruction.toml
	$(TRAIN)/wide-adversarial.toml
	$(EXPORT)/export.toml
	$(MAKE) entropy
	$(MAKE) envelope
	$(MAKE) filter
	$(BIN)/python scripts/fit_highband.py
	$(BIN)/python scripts/golden.py
	$(MAKE) baseline

# The learned entropy model of the present checkpoint.
entropy: venv
	$(BIN)/python scripts/train_entropy.py --recipe $(RECIPES)/entropy.toml
	$(BIN)/python scripts/attach_entropy.py --entropy runs/entropy/entropy.safetensors

# The envelope corrections of the present checkpoint.
envelope: venv
	$(BIN)/python scripts/train_corrections.py

# The adaptive filter behind the Decoder of the wide network, then both together.
filter: venv
	$(BIN)/python scripts/cache_filter.py
	$(FILTER)/filter-reconstruction.toml
	$(FILTER)/filter-adversarial.toml
	$(BIN)/python scripts/attach_filter.py --run runs/filter-adversarial/state.pt
	$(FILTER)/filter-joint.toml
	$(BIN)/python scripts/attach_filter.py --run runs/filter-joint/state.pt --share 0.6 \
		--level-exponent 0.8

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
