//! The live catalogue: follows `bongsu.catalog` and writes revisions to it.
