"""gpulab's controller side: records of what a run found, the lab's verdict, and the report."""
