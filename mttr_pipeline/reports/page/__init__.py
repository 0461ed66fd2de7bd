"""report.html, made from the JSON documents of the same run."""

from mttr_pipeline.reports.page.render import render

__all__ = ["render"]
