"""The configuration, as the rules ask it. Imports only the light part of the package."""

from geojax import ending, log, workflow as house

with log.plainly(WorkflowError):
    PLAN = house.read(
        "config", config.get("runs"), house.KEPT, config.get("tiny", False)
    )
    house.check_once(PLAN)


wildcard_constraints:
    dataset="[A-Za-z0-9_.-]+",
    run="[A-Za-z0-9_.-]+",
    lot="[A-Za-z0-9_.-]+",
    part="[A-Za-z0-9_.-]+",
    selection=r"(index|all_tasks)(\.tiny)?",
