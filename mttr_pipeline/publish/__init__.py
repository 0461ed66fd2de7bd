"""What readers open: complete, read-only generations, and the name of the newest."""

from mttr_pipeline.publish.generation import Generation, Readers, latest, publish

__all__ = ["Generation", "Readers", "latest", "publish"]
