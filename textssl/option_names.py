"""Which option a person means who typed one that does not exist: by the names of other tools, or by a near spelling.

The command line, the functions of Python and configuration files all ask here. The names are those of gensim,
fastText, word2vec.c, `transformers.TrainingArguments` and the usual scripts for images.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textssl.errors import did_you_mean

_BATCH = ("batch_rows", "batch_images", "batch_words", "batch")
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    # gensim, fastText, word2vec.c
    "alpha": ("learning_rate",),
    "bucket": ("buckets",),
    "cbow_mean": ("combine",),
    "iter": ("epochs",),
    "loss": ("output",),
    "lr": ("learning_rate",),
    "max_final_vocab": ("max_vocabulary",),
    "maxn": ("max_n",),
    "minn": ("min_n",),
    "neg": ("negatives",),
    "negative": ("negatives",),
    "ns_exponent": ("noise_exponent",),
    "pretrained_vectors": ("from",),
    "sample": ("subsample",),
    "size": ("dim", "image_size", "width"),
    "t": ("subsample",),
    "thread": ("threads",),
    "vector_size": ("dim", "width"),
    "workers": ("threads",),
    "ws": ("window",),
    # transformers
    "adam_beta2": ("beta2",),
    "block_size": ("length",),
    "dataloader_num_workers": ("loader_threads",),
    "early_stopping_patience": ("patience",),
    "eval_steps": ("evaluate_every",),
    "gradient_accumulation_steps": ("parts",),
    "hidden_size": ("width", "dim"),
    "intermediate_size": ("feed_forward_width",),
    "lr_scheduler_type": ("schedule",),
    "max_grad_norm": ("clip_norm",),
    "max_length": ("length",),
    "max_seq_length": ("length",),
    "mlm_probability": ("mask_rate",),
    "model_name_or_path": ("from",),
    "n_epochs": ("epochs",),
    "num_attention_heads": ("heads",),
    "num_epochs": ("epochs",),
    "num_hidden_layers": ("layers",),
    "num_train_epochs": ("epochs",),
    "optim": ("optimizer",),
    "output_dir": ("out",),
    "per_device_train_batch_size": _BATCH,
    "report_to": ("track",),
    "save_steps": ("checkpoint_every",),
    "save_total_limit": ("keep_checkpoints",),
    "torch_compile": ("compile",),
    "train_batch_size": _BATCH,
    "vocab_size": ("vocabulary_size", "max_vocabulary"),
    "warmup_ratio": ("warmup",),
    # images, and everywhere
    "arch": ("encoder",),
    "backbone": ("encoder",),
    "batch_size": _BATCH,
    "bs": _BATCH,
    "num_threads": ("threads",),
    "num_workers": ("loader_threads", "threads"),
    "o": ("out",),
    "output": ("out",),
    "wd": ("weight_decay",),
}
"""What other tools call an option, and what it is called here; of several the first that a command has."""
_OBJECTIVE_COMES_FIRST = "The method is the first word: textssl train skipgram, or textssl train cbow."
OTHER_WAYS: dict[str, tuple[str, str]] = {
    "bf16": ("precision", "textssl calls it {option}, with the value bfloat16."),
    "cbow": ("window", _OBJECTIVE_COMES_FIRST),
    "hs": ("output", "textssl calls it {option}, with the value hierarchical_softmax."),
    "sg": ("window", _OBJECTIVE_COMES_FIRST),
    "warmup_steps": ("warmup", "textssl calls it {option}, and takes a share of all steps."),
}
"""Options of other tools whose value is another one here: an option that the command must have, and what to do."""


def option_hint(given: str, known: Iterable[str]) -> str:
    """What to type instead of an option that does not exist, or nothing where nobody can know.

    Args:
        given: as it was typed: "--vector-size", "vector_size", "-minCount".
        known: the options there are, as the person would type them; the answer spells them so.

    >>> option_hint("--vector-size", ["--dim", "--window"])
    'textssl calls it --dim.'
    >>> option_hint("windw", ["dim", "window"])
    "Did you mean 'window'?"
    """
    typed = {_plain(name): name for name in known}
    plain = _plain(given)
    if plain not in typed:
        for own in OTHER_NAMES.get(plain, ()):
            if own in typed:
                return f"textssl calls it {typed[own]}."
        needed, way = OTHER_WAYS.get(plain, ("", ""))
        if needed in typed:
            return way.format(option=typed[needed])
    return did_you_mean(plain, typed, shown=typed)


def _plain(name: str) -> str:
    """An option without what differs by where it is typed: "--min-count", "minCount" and "min_count" are one."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip("-_").replace("-", "_"))
    return snake.lower()
