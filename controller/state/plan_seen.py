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
    defaults: Facts = {"plan": None, "trouble": None, "is_old": False, "age_s": None}
    try:
        plan = plan_file.read(path)
    except FileNotFoundError:
        return defaults | {"trouble": f"{path}: no plan yet: {START}"}
    except (PlanFileError, OSError) as error:
        return defaults | {"trouble": plain(error, path)}
    age_s = round(plan_file.age_s(plan, now_s))
    return defaults | {"plan": plan, "is_old": plan_file.is_old(plan, now_s), "age_s": age_s}


def summary(run_directory: str, now_s: float) -> Facts | None:
    """The part of `status --json`; None without a plan."""
    plan_facts = facts(run_directory, now_s)
    plan = plan_facts["plan"]
    if plan is None:
        return None
    own = {key: plan[key] for key in ("made_at", "cap_W", "waits")}
    return own | {"age_s": plan_facts["age_s"], "is_old": plan_facts["is_old"]}
