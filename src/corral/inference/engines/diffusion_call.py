"""What a pipeline of diffusers takes, and whether it takes what is asked of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from corral.inference.engines.base import Refused

#: steps where the caller names none and the pipeline's own preset is higher: most schedulers need no more
STEPS = 30


@contextmanager
def scheduled(pipe: Any, name: str | None) -> Iterator[None]:
    """The pipeline with another scheduler while it draws. Raises Refused for one that does not go with the model."""
    if name is None:
        yield
        return
    own = pipe.scheduler
    fitting = {kind.__name__: kind for kind in [type(own), *getattr(own, "compatibles", ())]}
    kind = next((kind for own_name, kind in fitting.items() if _names(name) & _names(own_name)), None)
    if kind is None:
        raise Refused(f"This model takes no scheduler {name!r}; it takes: {', '.join(sorted(fitting))}.")
    # Runge-Kutta steps, which no model of today is drawn with, and which cannot do with few steps
    plain = {"skip_prk_steps": True} if "skip_prk_steps" in inspect.signature(kind.__init__).parameters else {}
    try:
        pipe.scheduler = kind.from_config(own.config, **plain)
    except ImportError:
        raise Refused(f"{kind.__name__} needs a package that is not installed here: choose another one.") from None
    try:
        yield
    finally:
        pipe.scheduler = own


def _names(name: str) -> set[str]:
    """`EulerDiscreteScheduler` and what people call it: `EulerDiscrete`, `Euler`."""
    plain = re.sub(r"[\s_-]", "", name.lower())
    short = plain.removesuffix("scheduler")
    return {plain, short, short.removesuffix("discrete")}


def check_steps(pipe: Any, steps: int, given: dict[str, Any]) -> None:
    """Raises Refused for more steps than the model knows, and where `strength` leaves none of them."""
    config = pipe.scheduler.config
    most = config.get("num_train_timesteps", 0) - config.get("steps_offset", 0)
    if 0 < most < steps:
        raise Refused(f"This model was trained for {most} steps: 'num_inference_steps' cannot be {steps}.")
    strength = given.get("strength", preset(parameters(pipe), "strength"))
    if isinstance(strength, int | float) and steps * strength < 1:
        raise Refused(f"A strength of {strength:g} leaves nothing of {steps} steps to do: raise one of the two.")


def unread(pipe: Any, prompt: str) -> str:
    """The end of `prompt` that no text encoder of the pipeline reads, since CLIP's take 77 tokens."""
    own = [getattr(pipe, name, None) for name in ("tokenizer", "tokenizer_2", "tokenizer_3")]
    tokenizers = [one for one in own if one is not None]
    if not tokenizers or not all(type(one).__name__.startswith("CLIP") for one in tokenizers):
        return ""
    longest = max(tokenizers, key=lambda one: one.model_max_length)
    ids = longest(prompt, truncation=False, verbose=False)["input_ids"]
    rest = ids[longest.model_max_length - 1 : -1] if len(ids) > longest.model_max_length else []
    return str(longest.decode(rest)).strip()


def parameters(pipe: Any) -> dict[str, inspect.Parameter]:
    """What a call of the pipeline may name."""
    return dict(inspect.signature(pipe.__call__).parameters)


def preset(takes: dict[str, inspect.Parameter], name: str) -> Any:
    """The number that the pipeline takes where nobody names one; None where it has none."""
    value = takes[name].default if name in takes else None
    return value if isinstance(value, int | float) else None


def steps_of(takes: dict[str, inspect.Parameter]) -> int:
    """Steps where nobody says how many."""
    return min(int(preset(takes, "num_inference_steps") or STEPS), STEPS)
