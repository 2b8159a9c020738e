"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz.guided FOLDER [libFuzzer's options]`.

FOLDER gets what was found; the corpus is put into it first. It needs the extra `fuzz`.
"""

import gc
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(
    include=["gateway.smpp", "gateway.channels", "gateway.net"], enable_loader_override=False
):
    from tests.fuzz.target import Target

from tests.fuzz.mutation import LONGEST, corpus, mutated


def main() -> None:
    """Fuzz until libFuzzer has enough."""
    folder = Path(sys.argv[1])
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    seeds = corpus()
    for number, data in enumerate(seeds):
        (inputs / f"corpus-{number:03}").write_bytes(data)
    target = Target(folder)
    others = Random(1)

    def change(data: bytes, most: int, seed: int) -> bytes:
        return mutated(data, others.choice(seeds), Random(seed))[:most]

    gc.freeze()
    options = [sys.argv[0], *sys.argv[2:], f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=2000"]
    options += ["-report_slow_units=5", f"-artifact_prefix={folder}/found-", str(inputs)]
    atheris.Setup(options, target.run, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
