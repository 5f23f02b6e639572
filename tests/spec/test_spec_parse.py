from pathlib import Path

import pytest

from orchestration.spec.model import Accepts, Resources, RetryPolicy, Spot, Tolerance
from orchestration.spec.parse import parse_pipeline, read_pipeline
from orchestration.spec.problems import SpecError

EXAMPLES = Path(__file__).with_name("examples")
MINIMAL = "pipeline: ab\nversion: 1.0.0\nsteps: [{name: one, command: [run]}]\n"


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.yaml").read_text()


def test_shortest_pipeline_has_every_default() -> None:
    spec = parse_pipeline(MINIMAL, file="pipeline.yaml")

    assert (spec.name, spec.version, spec.include, spec.retention_days) == ("ab", "1.0.0", (), None)
    assert (spec.title.text(), spec.description.text()) == ("ab", "")
    assert spec.accepts == Accepts(types=("*/*",), max_size_bytes=None, max_files=10_000, min_files=1)
    nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert spec.params == nothing
    step = spec.step("one")
    assert (step.image, step.env, step.needs, step.for_each, step.fans_out) == (
        "builtin",
        {},
        (),
        None,
        False,
    )
    assert step.resources == Resources(vcpu=1, memory_bytes=2**30, gpu=0, disk_bytes=10 * 2**30)
    assert (step.timeout_s, step.network, step.spot, step.tolerate) == (3600, False, None, None)
    assert step.retry == RetryPolicy(attempts=3, on=("INTERRUPTED", "PLATFORM"), backoff_s=5)


def test_example_of_the_design_is_read_in_full() -> None:
    spec = parse_pipeline(example("tabular-profile"), file="pipeline.yaml")

    assert spec.title.text("pt-BR") == "Perfil de uma tabela"
    assert spec.accepts.max_size_bytes == 5 * 2**30
    assert spec.params["properties"]["sample_rows"]["default"] == 100_000
    assert spec.retention_days == 5 * 365
    convert, report = spec.steps
    assert convert.fans_out
    assert convert.command == ("python", "-m", "tabular_profile.convert")
    assert convert.resources == Resources(vcpu=1, memory_bytes=2 * 2**30, gpu=0, disk_bytes=10 * 2**30)
    assert (convert.timeout_s, convert.spot) == (900, Spot(attempts=2, then="on_demand"))
    assert convert.tolerate == Tolerance(failed_basis_points=500)
    assert (report.needs, report.image) == (("convert",), "builtin")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_example_is_accepted(path: Path) -> None:
    spec = parse_pipeline(path.read_text(), file=path.name)

    assert spec.name == path.stem


def test_numbers_and_texts_mean_the_same_size() -> None:
    assert parse_pipeline(example("image-set"), file="").accepts.max_size_bytes == 200 * 2**20


def test_shares_of_a_per_cent_are_exact() -> None:
    extract = parse_pipeline(example("document-text"), file="").step("extract")

    assert extract.tolerate == Tolerance(failed_basis_points=250)
    assert [extract.tolerate.allowed(total) for total in (1, 39, 40, 79, 80, 1000)] == [0, 0, 1, 1, 2, 25]


def test_counts_allow_no_more_than_there_are() -> None:
    assert [Tolerance(failed_items=3).allowed(total) for total in (0, 2, 3, 50)] == [0, 2, 3, 3]


def test_image_without_a_digest_is_a_warning_with_its_line() -> None:
    warnings = read_pipeline(example("document-text"), file="pipeline.yaml").warnings

    assert [(warning.line, warning.key) for warning in warnings] == [(17, "steps[1].image")]
    assert "pin it with its digest" in str(warnings[0])
    assert read_pipeline(example("tabular-profile"), file="").warnings == ()


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "010", "0x10", "1_000", "1:30", "2024-01-01", ".inf", "1e999"]
)
def test_word_that_older_yaml_twists_stays_a_text(word: str) -> None:
    spec = parse_pipeline(MINIMAL + f"title: {word}\n", file="")

    assert spec.title.text() == word


def test_params_keep_their_schema_but_never_share_it() -> None:
    first, second = (parse_pipeline(MINIMAL, file="") for _ in range(2))
    first.params["properties"]["x"] = {}

    assert second.params["properties"] == {}


@pytest.mark.parametrize(
    ("media_type", "is_accepted"),
    [
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("image/png", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_type_is_matched_with_families_and_without_parameters(media_type: str, is_accepted: bool) -> None:  # noqa: FBT001
    assert Accepts(types=("text/csv", "image/*")).accepts_type(media_type) is is_accepted
    assert Accepts().accepts_type(media_type)


def test_text_falls_back_to_the_base_language_and_to_english() -> None:
    title = parse_pipeline(MINIMAL + "title: {pt: Um, en: One, fr: Une}\n", file="").title

    assert [title.text(language) for language in ("pt-BR", "en-GB", "fr", "de")] == [
        "Um",
        "One",
        "Une",
        "One",
    ]


class TestInclude:
    def problem(self, include: str, folder: Path, root: Path | None = None) -> str:
        with pytest.raises(SpecError) as caught:
            parse_pipeline(MINIMAL + f"include: [{include}]\n", file="pipeline.yaml", folder=folder, root=root)
        (problem,) = caught.value.problems
        assert (problem.line, problem.key) == (4, "include[0]")
        return problem.message

    def test_folder_beside_the_pipeline_needs_a_root_above_both(self, tmp_path: Path) -> None:
        for name in ("pipeline", "shared"):
            (tmp_path / name).mkdir()
        text = MINIMAL + "include: [../shared]\n"

        spec = parse_pipeline(text, file="", folder=tmp_path / "pipeline", root=tmp_path)

        assert spec.include == ("../shared",)
        assert "leads out of" in self.problem("../shared", tmp_path / "pipeline")

    def test_missing_folder_is_named(self, tmp_path: Path) -> None:
        assert self.problem("lib", tmp_path) == 'there is no folder "lib"'

    def test_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "lib").touch()
        assert self.problem("lib", tmp_path) == 'there is no folder "lib"'

    def test_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "lib").symlink_to("real")
        assert "symbolic link" in self.problem("lib", tmp_path)

    def test_way_through_the_outside_is_no_way(self, tmp_path: Path) -> None:
        (tmp_path / "top" / "lib").mkdir(parents=True)
        assert "leads out of" in self.problem("../top/lib", tmp_path / "top")

    def test_without_the_folder_nothing_is_looked_up(self) -> None:
        assert parse_pipeline(MINIMAL + "include: [../anything]\n", file="").include == ("../anything",)
