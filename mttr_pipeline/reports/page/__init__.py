"""report.html, the pages beside it and its short form in Markdown, made from the JSON documents of the same run."""

from mttr_pipeline.reports.page.markdown import markdown, plain
from mttr_pipeline.reports.page.render import render
from mttr_pipeline.reports.page.site import pages

__all__ = ["markdown", "pages", "plain", "render"]
