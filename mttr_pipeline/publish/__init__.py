"""What readers open: complete, read-only generations, and the name of the newest."""

from mttr_pipeline.publish.elsewhere import Place
from mttr_pipeline.publish.generation import Generation, Readers, latest, publish
from mttr_pipeline.publish.verification import changed_files

__all__ = ["Generation", "Place", "Readers", "changed_files", "latest", "publish"]
