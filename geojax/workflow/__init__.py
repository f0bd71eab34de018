"""What the rules ask of the configuration. Light: it runs whenever Snakemake builds the DAG."""

from geojax.workflow.plan import Plan, plain, together
from geojax.workflow.reading import KEPT, check_inside, check_once, read

__all__ = ["KEPT", "Plan", "check_inside", "check_once", "plain", "read", "together"]
