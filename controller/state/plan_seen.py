"""The facts of the page `plan`: the content of plan.json, or one line about why none is there."""

from controller.state import plan_file
from controller.state.base import Facts
from controller.state.plan_file import PlanFileError
from controller.system.paths import plain

START = (
    "start the planner (systemctl start firebreak-planner), or try a plan: firebreak plan --help"
)


def facts(run_directory: str, now_s: float) -> Facts:
    """{plan: content or None, trouble: why there is none, or None, is_old, age_s}."""
    path = plan_file.beside(run_directory)
    found: Facts = {"plan": None, "trouble": None, "is_old": False, "age_s": None}
    try:
        plan = plan_file.read(path)
    except FileNotFoundError:
        return found | {"trouble": f"{path}: no plan yet: {START}"}
    except (PlanFileError, OSError) as error:
        return found | {"trouble": plain(error, path)}
    age_s, is_old = plan_file.age_s(plan, now_s), plan_file.is_old(plan, now_s)
    return found | {"plan": plan, "is_old": is_old, "age_s": round(age_s)}


def summary(run_directory: str, now_s: float) -> Facts | None:
    """The part of `status --json`; None without a plan."""
    found = facts(run_directory, now_s)
    plan = found["plan"]
    if plan is None:
        return None
    own = {key: plan[key] for key in ("made_at", "cap_W", "waits")}
    return own | {"age_s": found["age_s"], "is_old": found["is_old"]}
