"""`python -m mttr_pipeline` is the `mttr` command."""

from mttr_pipeline.cli.main import main

if __name__ == "__main__":
    main()
