"""Lists, their filters and shapes, likes and downloads, as the stock client asks for them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_api
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from building.hub import Hub, Person


def add(api: HfApi, repo_id: str, repo_type: str, **files: str) -> None:
    operations = [
        CommitOperationAdd(path_in_repo=name.replace("_", ".", 1), path_or_fileobj=text.encode())
        for name, text in files.items()
    ]
    api.create_commit(repo_id, operations, commit_message="Add files", repo_type=repo_type)


@dataclass(frozen=True)
class Zoo:
    """Repositories of one person, under words that nobody else uses."""

    api: HfApi
    owner: str
    url: str
    word: str


@pytest.fixture(scope="module")
def zoo(each_hub: Hub) -> Zoo:
    person = each_hub.person()
    api, word = person.api, f"zoo{secrets.token_hex(3)}"
    for name, front, config in (
        ("bert", "license: mit\nlanguage: en\npipeline_tag: fill-mask\ndatasets: squad", '"model_type": "bert"'),
        ("gpt", "license: apache-2.0\nlanguage: [en, fr]\npipeline_tag: text-generation", '"model_type": "gpt2"'),
        ("lora", f"base_model: {person.name}/{word}-gpt\nlibrary_name: peft\npipeline_tag: text-generation", ""),
    ):
        repo_id = api.create_repo(f"{person.name}/{word}-{name}").repo_id
        files = {"README_md": f"---\n{front}\ntags: [{word}]\n---\n# {name}\n"}
        if config:
            files["config_json"] = "{" + config + ', "architectures": ["X"], "transformers_version": "5.0"}'
        add(api, repo_id, "model", **files)
    data = api.create_repo(f"{person.name}/{word}-data", repo_type="dataset").repo_id
    front = "license: cc-by-4.0\nlanguage: en\ntask_categories: [image-classification]\nsize_categories: n<1K"
    add(api, data, "dataset", README_md=f"---\n{front}\n---\nPictures of many cats.\n", data_csv="a,b\n1,2\n")
    space = api.create_repo(f"{person.name}/{word}-demo", repo_type="space", space_sdk="static").repo_id
    add(api, space, "space", README_md=f"---\nsdk: static\nmodels: [{person.name}/{word}-gpt]\n---\n")
    api.create_repo(f"{person.name}/{word}-secret", private=True)
    return Zoo(api, person.name, each_hub.url, word)


def named(zoo: Zoo, found: object) -> list[str]:
    return sorted(info.id.rsplit("-", 1)[1] for info in found)  # type: ignore[attr-defined]


def test_models_are_found_by_what_the_client_filters_by(zoo: Zoo) -> None:
    def models(**query: object) -> list[str]:
        return named(zoo, zoo.api.list_models(author=zoo.owner, **query))  # type: ignore[arg-type]

    assert models() == ["bert", "gpt", "lora", "secret"]
    assert models(filter=zoo.word) == ["bert", "gpt", "lora"]
    assert models(filter=["en", "license:mit"]) == ["bert"]
    assert models(filter="language:fr") == ["gpt"]
    assert models(filter="transformers") == ["bert", "gpt"]
    assert models(filter=f"base_model:adapter:{zoo.owner}/{zoo.word}-gpt") == ["lora"]
    assert models(trained_dataset="squad") == ["bert"]
    assert models(pipeline_tag="text-generation") == ["gpt", "lora"]
    assert models(search=f"{zoo.word}-B") == ["bert"]
    assert models(apps="ollama") == []
    assert models(gated=True) == []
    assert models(num_parameters="min:1") == []


def test_data_sets_and_spaces_too(zoo: Zoo) -> None:
    assert named(
        zoo, zoo.api.list_datasets(author=zoo.owner, language="en", task_categories="image-classification")
    ) == ["data"]
    assert named(zoo, zoo.api.list_datasets(dataset_name=f"{zoo.word}-data", size_categories="n<1K")) == ["data"]
    assert named(zoo, zoo.api.list_datasets(author=zoo.owner, language="fr")) == []
    assert named(zoo, zoo.api.list_spaces(author=zoo.owner, models=f"{zoo.owner}/{zoo.word}-gpt")) == ["demo"]
    assert named(zoo, zoo.api.list_spaces(author=zoo.owner, models="other/model")) == []
    assert named(zoo, zoo.api.list_spaces(author=zoo.owner, linked=True)) == ["demo"]


def test_private_ones_are_listed_for_their_owner_alone(zoo: Zoo) -> None:
    assert named(zoo, zoo.api.list_models(search=f"{zoo.word}-secret")) == ["secret"]
    assert named(zoo, zoo.api.list_models(search=f"{zoo.word}-secret", token=False)) == []


def test_pages_follow_the_link(zoo: Zoo) -> None:
    seen, url = [], f"{zoo.url}/api/models?search={zoo.word}&limit=1&sort=createdAt"
    while url:
        answer = httpx.get(url)
        seen += [one["id"].rsplit("-", 1)[1] for one in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
    assert seen == ["lora", "gpt", "bert"]
    assert httpx.get(f"{zoo.url}/api/models?search={zoo.word}&limit=1&cursor=nonsense").status_code == 400


def test_a_list_shows_what_was_asked_for(zoo: Zoo) -> None:
    def one(**query: object) -> object:
        (found,) = zoo.api.list_models(search=f"{zoo.word}-bert", **query)  # type: ignore[arg-type]
        return found

    plain = one()
    assert (plain.author, plain.siblings, plain.card_data, plain.config) == (None, None, None, None)  # type: ignore[attr-defined]
    assert (plain.pipeline_tag, plain.library_name, plain.private) == ("fill-mask", "transformers", False)  # type: ignore[attr-defined]
    full = one(full=True, cardData=True, fetch_config=True)
    assert full.author == zoo.owner  # type: ignore[attr-defined]
    assert {s.rfilename for s in full.siblings} == {".gitattributes", "README.md", "config.json"}  # type: ignore[attr-defined]
    assert full.card_data.license == "mit"  # type: ignore[attr-defined]
    assert full.config["model_type"] == "bert"  # type: ignore[attr-defined]
    expanded = one(expand=["author", "downloadsAllTime"])
    assert (expanded.author, expanded.downloads_all_time, expanded.downloads) == (zoo.owner, 0, None)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["models", "datasets", "spaces"])
def test_unknown_properties_are_refused_with_the_known_ones(each_hub: Hub, kind: str) -> None:
    answer = httpx.get(f"{each_hub.url}/api/{kind}", params={"expand": "foo"})
    assert answer.status_code == 400
    assert 'expected one of "author"|"' in answer.json()["error"]


@pytest.mark.parametrize(
    "query", ["sort=best", "direction=up", "limit=0", "limit=x", "gated=perhaps", "num_parameters=6B", "apps=word"]
)
def test_bad_parameters_are_refused_with_a_sentence(each_hub: Hub, query: str) -> None:
    answer = httpx.get(f"{each_hub.url}/api/models?{query}")
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 20


def test_every_property_can_be_expanded(zoo: Zoo) -> None:
    model = zoo.api.model_info(f"{zoo.owner}/{zoo.word}-gpt", expand=list(get_args(hf_api.ExpandModelProperty_T)))
    assert model.spaces == [f"{zoo.owner}/{zoo.word}-demo"]
    assert model.children_model_count["adapter"] == 1  # type: ignore[index]
    assert model.transformers_info is not None
    lora = zoo.api.model_info(f"{zoo.owner}/{zoo.word}-lora", expand=["baseModels"])
    assert lora.base_models["relation"] == "adapter"  # type: ignore[index]
    data = zoo.api.dataset_info(f"{zoo.owner}/{zoo.word}-data", expand=list(get_args(hf_api.ExpandDatasetProperty_T)))
    assert data.description == "Pictures of many cats."
    assert (data.main_size or 0) > 0
    space = zoo.api.space_info(f"{zoo.owner}/{zoo.word}-demo", expand=list(get_args(hf_api.ExpandSpaceProperty_T)))
    assert space.sdk == "static"


def test_tags_by_type(zoo: Zoo) -> None:
    def ids(kind: str, tags: dict[str, list[dict[str, str]]]) -> set[str]:
        return {tag["id"] for tag in tags[kind]}

    end = time.monotonic() + 20
    while "fr" not in ids("language", zoo.api.get_model_tags()):
        assert time.monotonic() < end
    tags = zoo.api.get_model_tags()
    assert {"fill-mask", "image-classification"} <= ids("pipeline_tag", tags)
    assert {"transformers", "timm"} <= ids("library", tags)
    assert {"license:mit", "license:llama3"} <= ids("license", tags)
    assert "task_categories:image-classification" in ids("task_categories", zoo.api.get_dataset_tags())


def test_quick_search_and_trending(zoo: Zoo) -> None:
    found = httpx.get(f"{zoo.url}/api/quicksearch", params={"q": zoo.word}).json()
    assert {one["id"].rsplit("-", 1)[1] for one in found["models"]} == {"bert", "gpt", "lora"}
    assert found["modelsCount"] == 3
    assert [one["id"].rsplit("-", 1)[1] for one in found["datasets"]] == ["data"]
    people = httpx.get(f"{zoo.url}/api/quicksearch", params={"q": zoo.owner, "type": "user"}).json()
    assert [one["user"] for one in people["users"]] == [zoo.owner]
    trending = httpx.get(f"{zoo.url}/api/trending", params={"type": "model", "limit": 1}).json()["recentlyTrending"]
    assert trending[0]["repoType"] == "model"
    assert "id" in trending[0]["repoData"]


# --- likes -------------------------------------------------------------------------------------------------------


def like(person: Person, repo_id: str, kind: str = "models") -> httpx.Response:
    headers = {"Authorization": f"Bearer {person.token}"}
    return httpx.post(f"{person.url}/api/{kind}/{repo_id}/like", headers=headers)


def test_likes(each_hub: Hub, new_repo: Callable[..., str]) -> None:
    ann, bob = each_hub.person(), each_hub.person()
    repo_id, secret = new_repo(ann), new_repo(ann, "dataset", private=True)
    assert like(bob, repo_id).status_code == 200
    assert like(ann, repo_id).status_code == 200
    assert like(ann, secret, "datasets").status_code == 200
    assert like(bob, secret, "datasets").status_code == 404
    assert bob.api.model_info(repo_id).likes == 2
    assert [user.username for user in bob.api.list_repo_likers(repo_id)] == [ann.name, bob.name]
    mine = ann.api.list_liked_repos(ann.name)
    assert (mine.models, mine.datasets, mine.total) == ([repo_id], [secret], 2)
    assert bob.api.list_liked_repos(ann.name).total == 1
    bob.api.unlike(repo_id)
    assert bob.api.model_info(repo_id).likes == 1
    assert httpx.post(f"{each_hub.url}/api/models/{repo_id}/like").status_code == 401


def test_unliking_what_is_not_there(person: Person) -> None:
    for repo_id in ("missing", "nobody/missing"):
        with pytest.raises(RepositoryNotFoundError):
            person.api.unlike(repo_id)


# --- downloads ---------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(person: Person, new_repo: Callable[..., str]) -> Iterator[str]:
    repo_id = new_repo(person)
    add(person.api, repo_id, "model", config_json="{}", README_md="---\nlicense: mit\n---\n")
    yield repo_id


def test_downloads_are_counted_by_query_files(person: Person, counted: str) -> None:
    for path in ("config.json", "config.json", "README.md"):
        assert httpx.get(f"{person.url}/{counted}/resolve/main/{path}").status_code == 200
    assert httpx.head(f"{person.url}/{counted}/resolve/main/config.json").status_code == 200
    end = time.monotonic() + 20
    while person.api.model_info(counted).downloads != 3:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert person.api.model_info(counted, expand=["downloadsAllTime"]).downloads_all_time == 3


# --- cards -------------------------------------------------------------------------------------------------------


def validate(hub: Hub, content: object, **headers: str) -> httpx.Response:
    return httpx.post(f"{hub.url}/api/validate-yaml", json={"content": content, "repoType": "model"}, headers=headers)


def test_cards_are_validated_for_the_client(hub: Hub) -> None:
    good = validate(hub, "---\nlicense: mit\n---\n")
    assert (good.status_code, good.json()) == (200, {"errors": [], "warnings": []})
    empty = validate(hub, "# no metadata")
    assert empty.status_code == 200
    assert len(empty.json()["warnings"]) == 1
    bad = validate(hub, "---\nlicense: asdf\n---\n")
    assert bad.status_code == 400
    assert bad.json()["errors"][0]["message"].startswith('"license" must be one of')
    text = validate(hub, "---\nlicense: asdf\n---\n", Accept="text/plain")
    assert text.status_code == 400
    assert text.text.startswith('- Error: "license" must be one of [')
    assert validate(hub, 3).status_code == 400


def test_a_bomb_in_a_card_harms_nobody(person: Person, new_repo: Callable[..., str]) -> None:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(12)]
    bomb = "---\n" + "\n".join(lines) + "\n---\nA bomb.\n"
    began = time.monotonic()
    with pytest.raises(ValueError, match="too many entries"):
        person.api.upload_file(path_or_fileobj=bomb.encode(), path_in_repo="README.md", repo_id=new_repo(person))
    repo_id = new_repo(person)
    # a client that does not ask first
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/x-ndjson"}
    body = httpx.post(
        f"{person.url}/api/models/{repo_id}/commit/main",
        headers=headers,
        content=b'{"key": "header", "value": {"summary": "Bomb"}}\n'
        + httpx.Request(
            "POST", "http://x", json={"key": "file", "value": {"path": "README.md", "content": bomb}}
        ).read(),
    )
    assert body.status_code == 200
    assert person.api.model_info(repo_id).card_data is None
    assert time.monotonic() - began < 20


def test_bytes_that_are_no_text_in_a_card(person: Person, new_repo: Callable[..., str]) -> None:
    repo_id = new_repo(person)
    operations = [
        CommitOperationAdd(path_in_repo="notes/README.md", path_or_fileobj=b"\xff\xfe"),
        CommitOperationAdd(path_in_repo="config.json", path_or_fileobj=b'{"model_type": "\xff"}'),
    ]
    person.api.create_commit(repo_id, operations, commit_message="Odd bytes")
    assert person.api.model_info(repo_id).sha
    with pytest.raises(HfHubHTTPError):
        person.api.model_info(f"{repo_id}-not-there")
