"""How to use a repository: a few lines per library that can be pasted and run as they are.

The shapes follow the snippets that Hugging Face's pages show (package @huggingface/tasks, MIT).
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from corral.catalogue.listing import Listing
from corral.catalogue.vocabulary import LIBRARIES
from corral.core.ids import RepoType
from corral.repos.lookup import Repo
from corral.web import highlight
from corral.web.views import Snippet


def snippet(title: str, code: str, language: str = "python") -> Snippet:
    return Snippet(title, code, Markup(highlight.block(code, language)))  # noqa: S704 - escaped by the highlighter


def _hub(origin: str) -> str:
    return f'import os\n\nos.environ["HF_ENDPOINT"] = "{origin}"  # this hub, before the first import\n\n'


def _transformers(name: str, known: Listing, origin: str) -> str:
    task = known.pipeline_tag or "feature-extraction"
    chat = "conversational" in known.details.tags
    if chat:
        call = (
            'messages = [{"role": "user", "content": "Who are you?"}]\nprint(pipe(messages)[0]["generated_text"][-1])'
        )
    elif task.startswith("image") or task == "object-detection":
        call = 'print(pipe("picture.jpg"))'
    elif task == "automatic-speech-recognition" or task.startswith("audio"):
        call = 'print(pipe("sound.wav"))'
    else:
        call = 'print(pipe("The quick brown horse"))'
    return f'{_hub(origin)}from transformers import pipeline\n\npipe = pipeline("{task}", model="{name}")\n{call}'


def _sentence_transformers(name: str, known: Listing, origin: str) -> str:
    return (
        f"{_hub(origin)}from sentence_transformers import SentenceTransformer\n\n"
        f'model = SentenceTransformer("{name}")\n'
        'vectors = model.encode(["A happy person", "Somebody who is glad"])\nprint(model.similarity(vectors, vectors))'
    )


def _diffusers(name: str, known: Listing, origin: str) -> str:
    return (
        f'{_hub(origin)}from diffusers import DiffusionPipeline\n\npipe = DiffusionPipeline.from_pretrained("{name}")\n'
        'pipe("a horse in a paddock").images[0].save("horse.png")'
    )


def _timm(name: str, known: Listing, origin: str) -> str:
    return f'{_hub(origin)}import timm\n\nmodel = timm.create_model("hf_hub:{name}", pretrained=True).eval()'


def _peft(name: str, known: Listing, origin: str) -> str:
    base = next((tag.rpartition(":")[2] for tag in known.details.tags if tag.startswith("base_model:")), "BASE/MODEL")
    return (
        f"{_hub(origin)}from peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n"
        f'base = AutoModelForCausalLM.from_pretrained("{base}")\nmodel = PeftModel.from_pretrained(base, "{name}")'
    )


def _keras(name: str, known: Listing, origin: str) -> str:
    return f'{_hub(origin)}import keras\n\nmodel = keras.saving.load_model("hf://{name}")'


def _llama_cpp(name: str, known: Listing, origin: str) -> str:
    file = next((f for f in known.details.files if f.endswith(".gguf")), "*.gguf")
    return (
        f"{_hub(origin)}from llama_cpp import Llama\n\n"
        f'llm = Llama.from_pretrained(repo_id="{name}", filename="{file}")\n'
        'print(llm.create_chat_completion([{"role": "user", "content": "Hello"}]))'
    )


_MODELS: dict[str, Callable[[str, Listing, str], str]] = {
    "transformers": _transformers,
    "sentence-transformers": _sentence_transformers,
    "diffusers": _diffusers,
    "timm": _timm,
    "peft": _peft,
    "keras": _keras,
}


def _model(repo: Repo, known: Listing, origin: str) -> list[Snippet]:
    name = repo.full_name
    found = []
    tagged = [known.library, *(tag for tag in known.details.tags if tag in _MODELS)]
    for library in dict.fromkeys(one for one in tagged if one in _MODELS):
        found.append(snippet(LIBRARIES.get(library, library), _MODELS[library](name, known, origin)))
    if any(file.endswith(".gguf") for file in known.details.files):
        found.append(snippet("llama-cpp-python", _llama_cpp(name, known, origin)))
    return found


def _dataset(repo: Repo, known: Listing, origin: str) -> list[Snippet]:
    code = f'{_hub(origin)}from datasets import load_dataset\n\ndata = load_dataset("{repo.full_name}")\nprint(data)'
    return [snippet("Datasets", code)]


def snippets(repo: Repo, known: Listing, origin: str) -> list[Snippet]:
    """The library's own way first, then the client and git. `origin` is this hub's address."""
    found = []
    if repo.type is RepoType.MODEL:
        found = _model(repo, known, origin)
    elif repo.type is RepoType.DATASET:
        found = _dataset(repo, known, origin)
    kind = "" if repo.type is RepoType.MODEL else f" --repo-type {repo.type}"
    download = f"export HF_ENDPOINT={origin}\nhf download {repo.full_name}{kind}"
    found.append(snippet("Download with hf", download, "bash"))
    found.append(snippet("Clone with git", f"git lfs install\ngit clone {origin}/{repo.rid.path}", "bash"))
    return found
