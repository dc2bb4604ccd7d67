"""Put a learned entropy model into the checkpoint that it was trained for.

    python scripts/attach_entropy.py --entropy runs/entropy/entropy.safetensors

The static tables stay: the model shares their gain table, and `scripts/train_entropy.py` starts
from them. `--remove` takes a learned model out again.
"""

from __future__ import annotations

from pathlib import Path

import click
from safetensors.numpy import load

from nacli.checkpoint import default_path, load_checkpoint
from training.entropy.attach import with_entropy_model
from training.loop.states import rewrite_checkpoint
from training.options import PATH


@click.command("attach_entropy")
@click.option("--entropy", type=PATH, help="File that scripts/train_entropy.py wrote.")
@click.option("--remove", is_flag=True, help="Take the learned model out.")
@click.option("--model", type=PATH, help="Checkpoint; default: the shipped one.")
@click.option("--out", type=PATH, help="Default: replace the checkpoint.")
def main(entropy: Path | None, remove: bool, model: Path | None, out: Path | None) -> None:
    """Write the checkpoint and print its size."""
    if (entropy is None) != remove:
        raise click.UsageError("give either --entropy or --remove")
    path = model or default_path()
    out = out or path
    tensors = load(entropy.read_bytes()) if entropy else {}
    rewrite_checkpoint(path, out, with_entropy_model(load_checkpoint(path), tensors))
    print(f"{out}: {out.stat().st_size} bytes, {load_checkpoint(out).digest.hex()[:16]}")


if __name__ == "__main__":
    main()
