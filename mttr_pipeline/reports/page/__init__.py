"""report.html and its short form in Markdown, made from the JSON documents of the same run."""

from mttr_pipeline.reports.page.markdown import markdown
from mttr_pipeline.reports.page.render import render

__all__ = ["markdown", "render"]
