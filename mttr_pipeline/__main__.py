from mttr_pipeline.cli.main import main

if __name__ == "__main__":
    main()
