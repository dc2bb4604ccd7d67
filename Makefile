PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CORPUS ?= ../shared/corpus
CLIPS ?= tests/data

.PHONY: venv demo test check compatibility man fuzz bench baseline model entropy finish clean

venv: $(VENV)/.done

# Torch goes first, by its exact version, so that a CPU wheel at hand is taken for it.
$(VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install torch==2.13.0
	$(BIN)/pip install -e '.[test]'
	touch $@

demo: venv
	$(BIN)/python scripts/demo.py

test: venv
	$(BIN)/python -m pytest -q

check: test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The golden payloads under the oldest and the newest Python and NumPy that the package admits.
compatibility:
	$(PYTHON) scripts/compatibility.py

# The manual pages, after a change of the help.
man: venv
	$(BIN)/python scripts/manpages.py

# A million broken files, or an hour of them.
fuzz: venv
	$(BIN)/python scripts/fuzz.py

# Figures of CLIPS (a folder), with every metric; options such as --peer opus go into BENCH.
bench: $(VENV)/.bench
	$(BIN)/nacli bench $(CLIPS) $(BENCH)

$(VENV)/.bench: $(VENV)/.done
	$(BIN)/pip install -e '.[bench]'
	touch $@

# The baseline of tests/bench/test_gate.py; save it again when a better model ships.
baseline: venv
	$(BIN)/nacli bench tests/data --seconds 3 --bitrate 3 --metrics mel,stft,si_sdr,level \
		--save tests/data/baseline.json -f

# Of the Decoder alone, on codes as the encoder finds them.
ALONE = --workers 2 --batch 8 --rate 3e-4 --adversarial 0 --features 0 --music 0.2 --code-hours 6.6

# The shipped checkpoint from nothing: corpus, training, probability tables, export, entropy model,
# the Decoder alone, post-filter.
model: venv
	$(BIN)/python scripts/corpus.py --part-one $(CORPUS) --out data/corpus
	$(BIN)/python scripts/train.py --run runs/decoder --steps 400 --batch 6 --workers 2 \
		--encoder-rate 0
	$(BIN)/python scripts/train.py --run runs/joint --init runs/decoder/state.pt --steps 5300 \
		--batch 6 --workers 2 --rate 4e-4 --encoder-rate 0.25 --tilt 0
	$(BIN)/python scripts/train.py --run runs/main --init runs/joint/state.pt --steps 1750 \
		--batch 6 --workers 2 --rate 2e-4 --encoder-rate 0.25
	$(BIN)/python scripts/train.py --run runs/long --init runs/main/state.pt --hours 1.2 \
		--batch 6 --workers 2 --rate 4e-4 --encoder-rate 0.25
	$(BIN)/python scripts/train.py --run runs/last --init runs/long/state.pt --hours 1.6 \
		--batch 8 --threads 1 --rate 4e-4 --encoder-rate 0.25
	$(BIN)/python scripts/refit.py --state runs/long/state.pt --state runs/last/state.pt \
		--out runs/model.pt
	$(BIN)/python scripts/export.py --state runs/model.pt
	$(MAKE) entropy
	$(BIN)/python scripts/finish.py --run runs/alone --hours 0.7 $(ALONE)
	$(BIN)/python scripts/finish.py --run runs/levels --weights runs/alone/state.pt --hours 0.65 $(ALONE)
	$(BIN)/python scripts/finish.py --run runs/heard --weights runs/levels/state.pt --hours 0.5 --mel 1 $(ALONE)
	$(BIN)/python scripts/export.py --state runs/alone/state.pt --state runs/levels/state.pt \
		--state runs/heard/state.pt --decoder-for models/nacli-24k.safetensors
	$(BIN)/python scripts/train_corrections.py
	$(BIN)/python scripts/train_postfilter.py
	$(BIN)/python scripts/fit_highband.py
	$(BIN)/python scripts/golden.py
	$(MAKE) baseline

# The learned entropy model of the present checkpoint; fifteen minutes of one core.
entropy: venv
	$(BIN)/python scripts/train_entropy.py --out runs/entropy --hours 2.5 --steps 40000
	$(BIN)/python scripts/attach_entropy.py --entropy runs/entropy/entropy.safetensors

# The Decoder alone, against discriminators unless FINISH says otherwise. Codes and entropy model stay.
# More options go into FINISH, as `--hours 4`, or `--discriminator bands`.
finish: venv
	$(BIN)/python scripts/finish.py --init models/nacli-24k.safetensors --run runs/finish \
		--batch 6 --workers 2 $(FINISH)
	$(BIN)/python scripts/export.py --state runs/finish/state.pt \
		--decoder-for models/nacli-24k.safetensors
	$(BIN)/python scripts/train_corrections.py
	$(BIN)/python scripts/train_postfilter.py
	$(BIN)/python scripts/golden.py
	$(MAKE) baseline

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
