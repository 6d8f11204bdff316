"""The benchmarks, a module each: `run()` measures and returns the figures by the names that the project promises."""
