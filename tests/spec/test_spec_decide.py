import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.spec.decide import Retry, Settle, after_attempt, backoff, job_outcome, step_outcome
from orchestration.spec.model import RetryPolicy, Spot, Tolerance

quick = settings(database=None, deadline=None, max_examples=300)

DEFAULT = RetryPolicy()
KINDS = ("USER_CODE", "INPUT", "RESOURCES", "INTERRUPTED", "PLATFORM")
STATES = ("WAITING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED")

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    on=st.lists(st.sampled_from([kind for kind in KINDS if kind != "INPUT"]), unique=True).map(tuple),
    backoff_s=st.integers(0, 900),
)
tolerances = st.one_of(
    st.none(),
    st.builds(Tolerance, failed_items=st.integers(0, 20)),
    st.builds(Tolerance, failed_basis_points=st.integers(0, 10_000)),
)
counts_of = st.dictionaries(st.sampled_from(STATES), st.integers(0, 9))


class TestAfterAttempt:
    @pytest.mark.parametrize(("number", "delay_s"), [(1, 5.0), (2, 10.0)])
    def test_interruption_is_tried_again_with_doubled_wait(self, number: int, delay_s: float) -> None:
        assert after_attempt(DEFAULT, number, "FAILED", "INTERRUPTED", retry_requested=False) == Retry(delay_s)

    def test_last_attempt_settles(self) -> None:
        assert after_attempt(DEFAULT, 3, "FAILED", "INTERRUPTED", retry_requested=False) == Settle(
            "FAILED", "INTERRUPTED"
        )

    @pytest.mark.parametrize(
        ("number", "kind", "is_tried_again"),
        [(1, "INTERRUPTED", True), (2, "INTERRUPTED", True), (3, "INTERRUPTED", False), (1, "PLATFORM", False)],
    )
    def test_interruption_on_a_spot_machine_leads_to_the_next_attempt_whatever_the_policy_says(
        self, number: int, kind: str, *, is_tried_again: bool
    ) -> None:
        once = RetryPolicy(attempts=1, on=())

        found = after_attempt(once, number, "FAILED", kind, retry_requested=False, spot=Spot(2))

        assert isinstance(found, Retry) == is_tried_again

    def test_failure_of_the_code_is_final_unless_the_policy_says_so(self) -> None:
        lenient = RetryPolicy(on=("USER_CODE",))

        assert after_attempt(DEFAULT, 1, "FAILED", "USER_CODE", retry_requested=False) == Settle("FAILED", "USER_CODE")
        assert after_attempt(lenient, 1, "FAILED", "USER_CODE", retry_requested=False) == Retry(5.0)

    def test_step_may_ask_for_another_try(self) -> None:
        assert after_attempt(DEFAULT, 1, "FAILED", "USER_CODE", retry_requested=True) == Retry(5.0)
        assert after_attempt(DEFAULT, 3, "FAILED", "USER_CODE", retry_requested=True) == Settle("FAILED", "USER_CODE")

    def test_time_out_is_a_matter_of_resources(self) -> None:
        patient = RetryPolicy(on=("RESOURCES",))

        assert after_attempt(DEFAULT, 1, "TIMED_OUT", "RESOURCES", retry_requested=False) == Settle(
            "TIMED_OUT", "RESOURCES"
        )
        assert after_attempt(patient, 1, "TIMED_OUT", "RESOURCES", retry_requested=False) == Retry(5.0)

    @pytest.mark.parametrize("state", ["SUCCEEDED", "CANCELED"])
    def test_good_or_wanted_end_carries_no_failure(self, state: str) -> None:
        assert after_attempt(DEFAULT, 1, state, "PLATFORM", retry_requested=True) == Settle(state, None)

    def test_bad_input_is_never_tried_again(self) -> None:
        assert after_attempt(DEFAULT, 1, "FAILED", "INPUT", retry_requested=True) == Settle("FAILED", "INPUT")

    def test_failure_without_a_kind_is_our_fault(self) -> None:
        assert after_attempt(DEFAULT, 1, "FAILED", None, retry_requested=False) == Retry(5.0)
        assert after_attempt(DEFAULT, 3, "FAILED", None, retry_requested=False) == Settle("FAILED", "PLATFORM")

    @pytest.mark.parametrize("state", ["QUEUED", "STARTING", "RUNNING", "nonsense"])
    def test_attempt_that_has_not_ended_decides_nothing(self, state: str) -> None:
        with pytest.raises(ValueError, match="has not ended"):
            after_attempt(DEFAULT, 1, state, None, retry_requested=False)

    @quick
    @given(policies, st.integers(1, 5000), st.floats(0, 1))
    def test_wait_is_between_half_and_all_of_the_backoff(self, policy: RetryPolicy, number: int, jitter: float) -> None:
        whole = backoff(policy, number)

        assert whole <= 900
        assert whole == 900 or whole == policy.backoff_s * 2 ** min(number - 1, 20)
        assert whole / 2 <= backoff(policy, number, jitter=jitter) <= whole

    @quick
    @given(policies, st.sampled_from(["FAILED", "TIMED_OUT"]), st.sampled_from(KINDS), st.booleans())
    def test_attempts_end(self, policy: RetryPolicy, state: str, kind: str, retry_requested: bool) -> None:  # noqa: FBT001
        number = 1
        while isinstance(after_attempt(policy, number, state, kind, retry_requested), Retry):
            number += 1

        assert number <= policy.attempts
        assert after_attempt(policy, number, state, kind, retry_requested) == Settle(state, kind)


class TestStepOutcome:
    @pytest.mark.parametrize(
        ("counts", "tolerance", "outcome"),
        [
            ({}, None, None),
            ({"WAITING": 0}, None, None),
            ({"WAITING": 1, "FAILED": 9}, None, None),
            ({"RUNNING": 1, "CANCELED": 1}, None, None),
            ({"SUCCEEDED": 1}, None, "SUCCEEDED"),
            ({"FAILED": 1}, None, "FAILED"),
            ({"TIMED_OUT": 1}, None, "TIMED_OUT"),
            ({"CANCELED": 1, "FAILED": 3, "SUCCEEDED": 3}, Tolerance(failed_items=9), "CANCELED"),
            ({"SUCCEEDED": 99, "FAILED": 1}, None, "FAILED"),
            ({"SUCCEEDED": 95, "FAILED": 5}, Tolerance(failed_basis_points=500), "SUCCEEDED"),
            ({"SUCCEEDED": 94, "FAILED": 6}, Tolerance(failed_basis_points=500), "FAILED"),
            ({"SUCCEEDED": 95, "FAILED": 2, "TIMED_OUT": 3}, Tolerance(failed_items=5), "SUCCEEDED"),
            ({"SUCCEEDED": 95, "FAILED": 2, "TIMED_OUT": 3}, Tolerance(failed_items=4), "FAILED"),
            ({"SUCCEEDED": 95, "TIMED_OUT": 5}, Tolerance(failed_items=4), "TIMED_OUT"),
            ({"FAILED": 5}, Tolerance(failed_basis_points=10_000), "FAILED"),
            ({"TIMED_OUT": 5}, Tolerance(failed_basis_points=10_000), "TIMED_OUT"),
            ({"SUCCEEDED": 1, "FAILED": 5}, Tolerance(failed_basis_points=10_000), "SUCCEEDED"),
            ({"SUCCEEDED": 3, "SKIPPED": 2}, None, "SUCCEEDED"),
            ({"SKIPPED": 2}, None, "SKIPPED"),
            ({"FAILED": 1, "SKIPPED": 99}, Tolerance(failed_basis_points=500), "FAILED"),
            # 10 of 19 ran: 1 of them is more than 5 %, although it is not of 20.
            ({"SUCCEEDED": 18, "FAILED": 1, "SKIPPED": 1}, Tolerance(failed_basis_points=500), "FAILED"),
        ],
    )
    def test_step_ends_as_its_items_did(
        self, counts: dict[str, int], tolerance: Tolerance | None, outcome: str | None
    ) -> None:
        assert step_outcome(counts, tolerance) == outcome

    @quick
    @given(counts_of, tolerances)
    def test_success_needs_a_success_and_hides_no_cancel(
        self, counts: dict[str, int], tolerance: Tolerance | None
    ) -> None:
        outcome = step_outcome(counts, tolerance)

        is_pending = not any(counts.values()) or counts.get("WAITING", 0) + counts.get("RUNNING", 0) > 0
        assert (outcome is None) == is_pending
        if outcome == "SUCCEEDED":
            assert counts["SUCCEEDED"] > 0
            assert not counts.get("CANCELED")
        if outcome == "TIMED_OUT":
            assert counts["TIMED_OUT"] > 0
            assert not counts.get("FAILED")
        if outcome == "FAILED":
            assert counts["FAILED"] > 0

    @quick
    @given(counts_of.filter(lambda counts: counts.get("FAILED", 0) > 0), tolerances)
    def test_one_failure_less_never_makes_it_worse(self, counts: dict[str, int], tolerance: Tolerance | None) -> None:
        if step_outcome(counts, tolerance) == "SUCCEEDED":
            better = counts | {"FAILED": counts["FAILED"] - 1, "SUCCEEDED": counts["SUCCEEDED"] + 1}
            assert step_outcome(better, tolerance) == "SUCCEEDED"


class TestJobOutcome:
    @pytest.mark.parametrize(
        ("states", "outcome"),
        [
            ([], None),
            (["SUCCEEDED", "WAITING"], None),
            (["FAILED", "RUNNING"], None),
            (["SUCCEEDED", "SUCCEEDED"], "SUCCEEDED"),
            (["SUCCEEDED", "SKIPPED"], "SUCCEEDED"),
            (["FAILED", "SKIPPED"], "FAILED"),
            (["TIMED_OUT", "SKIPPED", "SUCCEEDED"], "TIMED_OUT"),
            (["TIMED_OUT", "FAILED"], "FAILED"),
            (["FAILED", "CANCELED"], "FAILED"),
            (["SUCCEEDED", "CANCELED"], "CANCELED"),
            (["SKIPPED"], "FAILED"),
        ],
    )
    def test_job_ends_as_its_steps_did(self, states: list[str], outcome: str | None) -> None:
        assert job_outcome(states) == outcome

    def test_cancel_that_was_asked_for_comes_first(self) -> None:
        assert job_outcome(["FAILED", "CANCELED"], cancel_requested=True) == "CANCELED"

    def test_cancel_that_came_too_late_changes_nothing(self) -> None:
        assert job_outcome(["SUCCEEDED"], cancel_requested=True) == "SUCCEEDED"
        assert job_outcome(["FAILED", "SKIPPED"], cancel_requested=True) == "FAILED"
